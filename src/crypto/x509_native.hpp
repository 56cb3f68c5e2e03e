// What reading certificates and revocation lists with libcrypto shares; for the sources of this module only.
#pragma once

#include "base/clock.hpp"
#include "crypto/openssl.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::crypto::x509 {

std::string text_of(const X509_NAME* name);
/// The last common name; empty if there is none.
std::string common_name_of(const X509_NAME* name);
/// Big endian without leading zeros. INVALID_ARGUMENT for a negative number and more than 32 bytes.
Result<Bytes> serial_of(const ASN1_INTEGER* number);
Result<UnixSeconds> seconds_of(const ASN1_TIME* time);
/// Whether a signature's hash is SHA-256, SHA-384 or SHA-512.
bool is_strong(int digest) noexcept;

/// DER elements one after the other, 1 to `most`, split by their outermost length. INVALID_ARGUMENT otherwise.
Result<std::vector<Bytes>> der_elements(BytesView bytes, std::size_t most);

/// DER of an object of libcrypto.
template <class T, class Encode> Bytes encoded(T* object, Encode encode) {
  const int size = encode(object, nullptr);
  require(size > 0, "encoding DER");
  Bytes out(static_cast<std::size_t>(size));
  auto* at = out.data();
  require(encode(object, &at) == size, "encoding DER");
  return out;
}

} // namespace tcfdl::crypto::x509
