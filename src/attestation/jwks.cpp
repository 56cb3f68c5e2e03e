#include "attestation/jwks.hpp"

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "wire/strict_json.hpp"

namespace tcfdl::attestation {
namespace {

constexpr std::size_t kMostKeys = 16;
constexpr std::size_t kJwkCoordinate = 32;

std::string coordinate(const crypto::VerifyKey& key, std::size_t offset) {
  return to_base64url(key.bytes().subspan(offset, kJwkCoordinate));
}

/// A member that is text; empty where there is none or another kind.
std::string text_member(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// A member that need not be there, but must have this value if it is.
bool absent_or(const nlohmann::json& object, const char* name, std::string_view value) {
  return !object.contains(name) || text_member(object, name) == value;
}

} // namespace

std::string thumbprint(const crypto::VerifyKey& key) {
  const auto members = fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})", coordinate(key, 1),
                                   coordinate(key, 1 + kJwkCoordinate));
  return to_base64url(crypto::sha256(as_bytes(members)));
}

nlohmann::json jwk_of(const crypto::VerifyKey& key) {
  return {{"kty", "EC"}, {"crv", "P-256"}, {"x", coordinate(key, 1)}, {"y", coordinate(key, 1 + kJwkCoordinate)}};
}

Result<crypto::VerifyKey> key_of_jwk(const nlohmann::json& jwk) {
  if (!jwk.is_object()) return Error(Code::kInvalidArgument, "a key is no JSON object");
  if (text_member(jwk, "kty") != "EC" || text_member(jwk, "crv") != "P-256") {
    return Error(Code::kInvalidArgument, "a key is not of kty EC and crv P-256");
  }
  if (jwk.contains("d")) return Error(Code::kInvalidArgument, "a key is a private one: nobody may have it");
  Bytes point{4}; // uncompressed
  for (const auto* name : {"x", "y"}) {
    const auto half = from_base64url(text_member(jwk, name));
    if (!half || half->size() != kJwkCoordinate) {
      return make_error(Code::kInvalidArgument, "'{}' of a key is no coordinate of {} bytes", name, kJwkCoordinate);
    }
    point.insert(point.end(), half->begin(), half->end());
  }
  return crypto::VerifyKey::from_bytes(point);
}

Jwks::Jwks(const std::vector<crypto::VerifyKey>& keys) {
  for (const auto& key : keys) keys_.emplace(thumbprint(key), key);
}

Result<Jwks> Jwks::parse(BytesView text) {
  TCFDL_ASSIGN(const auto document, wire::parse_json_object(text, {.size = std::size_t{64} << 10U, .depth = 6}));
  const auto list = document.find("keys");
  if (list == document.end() || !list->is_array() || list->empty() || list->size() > kMostKeys) {
    return make_error(Code::kInvalidArgument, "'keys' is no list of 1 to {} keys", kMostKeys);
  }
  Jwks result((std::vector<crypto::VerifyKey>()));
  for (const auto& jwk : *list) {
    TCFDL_ASSIGN(const auto key, key_of_jwk(jwk));
    if (!absent_or(jwk, "use", "sig") || !absent_or(jwk, "alg", "ES256")) {
      return Error(Code::kInvalidArgument, "a key is not for signatures (use: sig, alg: ES256)");
    }
    if (!absent_or(jwk, "kid", thumbprint(key))) {
      return make_error(Code::kInvalidArgument, "the kid of a key is not its thumbprint {} (RFC 7638)",
                        thumbprint(key));
    }
    result.keys_.emplace(thumbprint(key), key);
  }
  return result;
}

std::string Jwks::text() const {
  auto list = nlohmann::json::array();
  for (const auto& [kid, key] : keys_) {
    auto jwk = jwk_of(key);
    jwk["kid"] = kid;
    jwk["use"] = "sig";
    jwk["alg"] = "ES256";
    list.push_back(std::move(jwk));
  }
  return nlohmann::json{{"keys", std::move(list)}}.dump(2) + "\n";
}

const crypto::VerifyKey* Jwks::find(const std::string& kid) const {
  const auto found = keys_.find(kid);
  return found == keys_.end() ? nullptr : &found->second;
}

} // namespace tcfdl::attestation
