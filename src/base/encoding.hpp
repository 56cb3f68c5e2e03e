// Text forms of bytes: lower-case hexadecimal and base64url without padding (RFC 4648 sections 8 and 5).
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl {

std::string to_hex(BytesView bytes);

/// INVALID_ARGUMENT for an odd length or a character that is no hexadecimal digit.
Result<Bytes> from_hex(std::string_view text);

std::string to_base64url(BytesView bytes);

/// INVALID_ARGUMENT for characters outside the alphabet, a length of 1 modulo 4, or non-zero trailing bits.
Result<Bytes> from_base64url(std::string_view text);

} // namespace tcfdl
