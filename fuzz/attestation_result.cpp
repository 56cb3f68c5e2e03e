// Tokens of attestation results and key sets. The first byte says what the rest is: a token, the claims of a token
// whose signature is good, or a key set. What is accepted round-trips.
#include "attestation/result_token.hpp"

#include "base/encoding.hpp"
#include "crypto/jose.hpp"

#include <cstdlib>

namespace {

using namespace tcfdl; // NOLINT(google-build-using-namespace): a program of one file

const crypto::SigningKey& authority() {
  static const auto kKey = crypto::SigningKey::from_private_bytes(Bytes(32, 0x5A)).value();
  return kKey;
}

void try_token(const std::string& token) {
  static const attestation::Jwks kKeys({authority().public_key()});
  constexpr UnixSeconds kTime = 1'800'000'000;
  attestation::Findings findings;
  const auto result = attestation::verify_result(kKeys, token, kTime, findings);
  if (result.has_value() != findings.reasons().empty()) std::abort();
  if (!result) return;
  if (result->expires <= kTime || result->key.size() != crypto::kPointSize) std::abort();
  const auto again = attestation::verify_result(kKeys, attestation::sign_result(authority(), *result), kTime, findings);
  if (!again || *again != *result) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView rest(data + 1, size - 1);
  if (data[0] == 't') try_token(std::string(as_text(rest)));
  if (data[0] == 'c') {
    const auto header = fmt::format(R"({{"alg":"ES256","kid":"{}","typ":"eat+jwt"}})",
                                    attestation::thumbprint(authority().public_key()));
    const auto text = to_base64url(as_bytes(header)) + "." + to_base64url(rest);
    try_token(text + "." + to_base64url(crypto::sign_es256(authority(), as_bytes(text))));
  }
  if (data[0] != 'k') return 0;
  const auto keys = attestation::Jwks::parse(rest);
  if (keys && attestation::Jwks::parse(as_bytes(keys->text()))->text() != keys->text()) std::abort();
  return 0;
}
