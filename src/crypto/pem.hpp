// PEM blocks (RFC 7468).
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::crypto {

/// Whether the bytes are PEM rather than DER: they hold the line that opens a block.
bool is_pem(BytesView bytes);

/// The content of the blocks with that label (as `CERTIFICATE`), in order; other text is ignored. INVALID_ARGUMENT for
/// a block that does not end or is no base64, for none, and for more than `most`.
Result<std::vector<Bytes>> pem_blocks(BytesView bytes, std::string_view label, std::size_t most);

/// One block with that label, lines of 64 characters.
std::string to_pem(BytesView content, std::string_view label);

} // namespace tcfdl::crypto
