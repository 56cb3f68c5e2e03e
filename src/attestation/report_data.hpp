// The 64 bytes that tie evidence to keys. docs/formats/statements.md.
#pragma once

#include "crypto/hash.hpp"

#include <vector>

namespace tcfdl::attestation {

/// REPORTDATA of evidence: SHA-512('tcfdl/evidence/1' ‖ L(purpose) ‖ L(nonce) ‖ N(keys) ‖ L(key)…), where L puts a
/// length of 4 bytes, big endian, before its bytes, and N is the number of keys in 4 bytes. So no two inputs give the
/// same hashed text.
crypto::Sha512Digest report_data(std::string_view purpose, BytesView nonce, const std::vector<BytesView>& keys);

} // namespace tcfdl::attestation
