// Public keys of authorities as a JWK Set (RFC 7517), by which attestation results are checked.
#pragma once

#include "crypto/signature.hpp"

#include <map>
#include <nlohmann/json_fwd.hpp>

namespace tcfdl::attestation {

/// The JWK thumbprint (RFC 7638) in base64url: the `kid` of a key everywhere here.
std::string thumbprint(const crypto::VerifyKey& key);

/// A P-256 key as a JWK, without `kid`.
nlohmann::json jwk_of(const crypto::VerifyKey& key);

/// The key of a JWK. INVALID_ARGUMENT unless it is a public one on P-256; other members are ignored (RFC 7517
/// section 4).
Result<crypto::VerifyKey> key_of_jwk(const nlohmann::json& jwk);

/// Keys by thumbprint.
class Jwks {
public:
  explicit Jwks(const std::vector<crypto::VerifyKey>& keys);

  /// At most 16 keys in 64 KiB. INVALID_ARGUMENT for what is no key set, for private keys, keys of another curve or
  /// use, and a `kid` that is not the key's thumbprint.
  static Result<Jwks> parse(BytesView text);

  /// The document that `parse` reads.
  [[nodiscard]] std::string text() const;

  /// Null if there is none.
  [[nodiscard]] const crypto::VerifyKey* find(const std::string& kid) const;
  [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

private:
  std::map<std::string, crypto::VerifyKey> keys_;
};

} // namespace tcfdl::attestation
