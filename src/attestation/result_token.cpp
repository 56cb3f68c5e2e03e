#include "attestation/result_token.hpp"

#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "crypto/hash.hpp"
#include "crypto/jose.hpp"
#include "wire/signed.hpp"
#include "wire/strict_json.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::attestation {
namespace {

using ClaimsJson = nlohmann::json;

constexpr std::string_view kType = "eat+jwt";
constexpr std::string_view kProfile = "urn:x-tcfdl:attestation-result:1";
constexpr std::string_view kIssuer = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"; // RFC 9278
constexpr std::size_t kLongestToken = std::size_t{16} << 10U;
constexpr std::int64_t kClockSkew = 60; // seconds

/// RFC 9711 section 4.2.9. Of the software TEE, root of its machine is the debugger.
std::string_view debug_status(const AttestationResult& result) {
  return result.debug || result.tee_kind == "software" ? "enabled" : "disabled-since-boot";
}

ClaimsJson payload_of(const AttestationResult& result, const std::string& kid, const crypto::VerifyKey& holder) {
  ClaimsJson own{{"role", result.role},
                 {"cluster", result.cluster},
                 {"node", result.node},
                 {"function", result.function},
                 {"measurement", to_hex(result.measurement)},
                 {"class", result.assurance},
                 {"policy_version", result.policy_version},
                 {"certificate", to_hex(result.certificate_hash)},
                 {"evidence", to_hex(result.evidence_hash)}};
  ClaimsJson tee{{"kind", result.tee_kind},
                 {"measurement", to_hex(result.tee_measurement)},
                 {"signer", to_hex(result.signer)},
                 {"svn", result.svn},
                 {"tcb_status", result.tcb_status},
                 {"advisories", result.advisories},
                 {"debug", result.debug}};
  ClaimsJson payload{{"iss", std::string(kIssuer) + kid},
                     {"sub", result.subject},
                     {"iat", result.issued},
                     {"exp", result.expires},
                     {"eat_profile", kProfile},
                     {"cnf", {{"jwk", jwk_of(holder)}}},
                     {"tcfdl", std::move(own)},
                     {"submods", {{"tee", {{"dbgstat", debug_status(result)}, {"tcfdl", std::move(tee)}}}}}};
  if (!result.nonce.empty()) payload["eat_nonce"] = to_base64url(result.nonce);
  return payload;
}

/// Reads members of one object. The first that is not as wanted is remembered, with its path.
class ClaimReader {
public:
  ClaimReader(const ClaimsJson* object, std::string path, Findings& findings)
      : object_(object), path_(std::move(path)), findings_(findings) {}

  /// Exactly these members are there; without that, nothing is read.
  void expect(std::initializer_list<std::string_view> required, std::initializer_list<std::string_view> optional = {}) {
    if (object_ == nullptr) return;
    const auto keys = wire::check_json_keys(*object_, required, optional);
    if (!findings_.require(keys, path_.empty() ? "claims" : path_.substr(0, path_.size() - 1),
                           "the claims of " + std::string(kProfile)))
      object_ = nullptr;
  }
  std::string text(const char* name) { return read<std::string>(name, &ClaimsJson::is_string, "a text"); }
  std::uint64_t number(const char* name) {
    return read<std::uint64_t>(name, &ClaimsJson::is_number_unsigned, "a whole number from 0 on");
  }
  UnixSeconds time(const char* name) {
    constexpr std::uint64_t kLast = 253'402'300'799; // 9999-12-31
    const auto value = number(name);
    findings_.require(value <= kLast, path_ + name, fmt::format("{}", value), "a time before the year 10000");
    return static_cast<UnixSeconds>(std::min(value, kLast));
  }
  bool boolean(const char* name) { return read<bool>(name, &ClaimsJson::is_boolean, "true or false"); }
  Bytes hex(const char* name) {
    const auto value = text(name);
    auto bytes = from_hex(value);
    findings_.require(bytes.has_value(), path_ + name, value, "hexadecimal digits");
    return bytes ? *std::move(bytes) : Bytes();
  }
  std::vector<std::string> texts(const char* name) {
    std::vector<std::string> values;
    const auto* const list = member(name, &ClaimsJson::is_array, "a list of texts");
    if (list == nullptr) return values;
    for (const auto& item : *list) {
      if (findings_.require(item.is_string(), path_ + name, "an entry of another kind", "texts")) {
        values.push_back(item.get<std::string>());
      }
    }
    return values;
  }
  ClaimReader object(const char* name) {
    return {member(name, &ClaimsJson::is_object, "an object"), path_ + name + ".", findings_};
  }
  [[nodiscard]] const ClaimsJson* get() const noexcept { return object_; }

private:
  const ClaimsJson* member(const char* name, bool (ClaimsJson::*is)() const noexcept, const char* wanted) {
    if (object_ == nullptr) return nullptr;
    const auto found = object_->find(name);
    const bool good = found != object_->end() && (*found.*is)();
    findings_.require(good, path_ + name, found == object_->end() ? "none" : "a value of another kind", wanted);
    return good ? &*found : nullptr;
  }
  template <class Value> Value read(const char* name, bool (ClaimsJson::*is)() const noexcept, const char* wanted) {
    const auto* const value = member(name, is, wanted);
    return value == nullptr ? Value() : value->get<Value>();
  }

  const ClaimsJson* object_; // null once it was refused
  std::string path_;
  Findings& findings_;
};

struct TokenParts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text; ///< header and payload with the dot between
};

std::optional<TokenParts> split_token(std::string_view token) {
  if (token.size() > kLongestToken) return std::nullopt;
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return TokenParts{.header = token.substr(0, first),
                    .payload = token.substr(first + 1, second - first - 1),
                    .signature = token.substr(second + 1),
                    .signed_text = token.substr(0, second)};
}

Result<ClaimsJson> decode_part(std::string_view part) {
  TCFDL_ASSIGN(const auto bytes, from_base64url(part));
  return wire::parse_json_object(bytes, {.size = kLongestToken, .depth = 5});
}

/// The key that the header names, of those that are known.
const crypto::VerifyKey* check_header(const Jwks& keys, std::string_view part, Findings& findings, std::string& kid) {
  const auto header = decode_part(part);
  if (!header) {
    findings.refuse("header", header.error().message(), "a JSON object in base64url");
    return nullptr;
  }
  ClaimReader members(&*header, "header.", findings);
  members.expect({"alg", "kid", "typ"});
  const auto algorithm = members.text("alg");
  const auto type = members.text("typ");
  kid = members.text("kid");
  findings.require(algorithm == "ES256", "header.alg", algorithm, "ES256");
  findings.require(type == kType, "header.typ", type, std::string(kType));
  const auto* const key = keys.find(kid);
  findings.require(key != nullptr, "header.kid", kid, "a key of the JWKS");
  return key;
}

void read_times(ClaimReader& claims, UnixSeconds now, AttestationResult& result, Findings& findings) {
  result.issued = claims.time("iat");
  result.expires = claims.time("exp");
  findings.require(result.issued <= now + kClockSkew, "iat", to_rfc3339(result.issued), "not after " + to_rfc3339(now));
  findings.require(result.expires > now, "exp", to_rfc3339(result.expires), "after " + to_rfc3339(now));
  findings.require(result.expires - result.issued <= kLongestResult, "exp", to_rfc3339(result.expires),
                   fmt::format("at most {} seconds after iat", kLongestResult));
}

void read_nonce(ClaimReader& claims, AttestationResult& result, Findings& findings) {
  if (claims.get() == nullptr || !claims.get()->contains("eat_nonce")) return;
  const auto text = claims.text("eat_nonce");
  auto nonce = from_base64url(text);
  if (findings.require(nonce && nonce->size() >= 8 && nonce->size() <= 64, "eat_nonce", text, "8 to 64 bytes")) {
    result.nonce = *std::move(nonce);
  }
}

void read_holder(ClaimReader confirmation, AttestationResult& result, Findings& findings) {
  confirmation.expect({"jwk"});
  const auto jwk = confirmation.object("jwk");
  if (jwk.get() == nullptr) return;
  const auto key = key_of_jwk(*jwk.get());
  if (!key) return findings.refuse("cnf.jwk", key.error().message(), "a public key on P-256");
  result.key = Bytes(key->bytes().begin(), key->bytes().end());
}

void read_own(ClaimReader own, AttestationResult& result) {
  own.expect(
      {"role", "cluster", "node", "function", "measurement", "class", "policy_version", "certificate", "evidence"});
  result.role = own.text("role");
  result.cluster = own.text("cluster");
  result.node = own.text("node");
  result.function = own.text("function");
  result.measurement = own.hex("measurement");
  result.assurance = own.text("class");
  result.policy_version = own.number("policy_version");
  result.certificate_hash = own.hex("certificate");
  result.evidence_hash = own.hex("evidence");
}

void read_tee(ClaimReader module, AttestationResult& result, Findings& findings) {
  module.expect({"dbgstat", "tcfdl"});
  const auto status = module.text("dbgstat");
  auto tee = module.object("tcfdl");
  tee.expect({"kind", "measurement", "signer", "svn", "tcb_status", "advisories", "debug"});
  result.tee_kind = tee.text("kind");
  result.tee_measurement = tee.hex("measurement");
  result.signer = tee.hex("signer");
  result.svn = tee.number("svn");
  result.tcb_status = tee.text("tcb_status");
  result.advisories = tee.texts("advisories");
  result.debug = tee.boolean("debug");
  findings.require(status == debug_status(result), "submods.tee.dbgstat", status,
                   "what the claims of the TEE say: " + std::string(debug_status(result)));
}

AttestationResult read_claims(const ClaimsJson& payload, const std::string& kid, UnixSeconds now, Findings& findings) {
  AttestationResult result;
  ClaimReader claims(&payload, "", findings);
  claims.expect({"iss", "sub", "iat", "exp", "eat_profile", "cnf", "tcfdl", "submods"}, {"eat_nonce"});
  const auto issuer = claims.text("iss");
  findings.require(issuer == std::string(kIssuer) + kid, "iss", issuer, "the thumbprint of the key that signed");
  const auto profile = claims.text("eat_profile");
  findings.require(profile == kProfile, "eat_profile", profile, std::string(kProfile));
  result.issuer = kid;
  result.subject = claims.text("sub");
  read_times(claims, now, result, findings);
  read_nonce(claims, result, findings);
  read_holder(claims.object("cnf"), result, findings);
  read_own(claims.object("tcfdl"), result);
  auto modules = claims.object("submods");
  modules.expect({"tee"});
  read_tee(modules.object("tee"), result, findings);
  return result;
}

} // namespace

std::string sign_result(const crypto::SigningKey& authority, const AttestationResult& result) {
  const auto kid = thumbprint(authority.public_key());
  const auto holder = crypto::VerifyKey::from_bytes(result.key);
  if (!holder) return {};
  const ClaimsJson header{{"alg", "ES256"}, {"kid", kid}, {"typ", kType}};
  const auto text = to_base64url(as_bytes(header.dump())) + "." +
                    to_base64url(as_bytes(payload_of(result, kid, *holder).dump(-1, ' ', true)));
  return text + "." + to_base64url(crypto::sign_es256(authority, as_bytes(text)));
}

std::optional<AttestationResult> verify_result(const Jwks& keys, std::string_view token, UnixSeconds now,
                                               Findings& findings) {
  const auto parts = split_token(token);
  if (!parts) {
    findings.refuse("token", fmt::format("{} bytes", token.size()),
                    fmt::format("three parts with dots between, at most {} bytes", kLongestToken));
    return std::nullopt;
  }
  std::string kid;
  const auto* const key = check_header(keys, parts->header, findings, kid);
  if (key == nullptr || !findings.reasons().empty()) return std::nullopt;
  const auto signature = from_base64url(parts->signature);
  const auto checked =
      signature ? crypto::verify_es256(*key, as_bytes(parts->signed_text), *signature) : Status(signature.error());
  if (!findings.require(checked, "signature", "one of the key that kid names")) return std::nullopt;
  // What follows was written by the authority, if its key is its own.
  const auto payload = decode_part(parts->payload);
  if (!payload) {
    findings.refuse("payload", payload.error().message(), "a JSON object in base64url");
    return std::nullopt;
  }
  auto result = read_claims(*payload, kid, now, findings);
  if (!findings.reasons().empty()) return std::nullopt;
  return result;
}

void require_certificate(const AttestationResult& result, const wire::Signed& certificate, Findings& findings) {
  const auto hash = crypto::sha256(as_bytes(certificate.statement()));
  findings.require(std::ranges::equal(result.certificate_hash, hash), "tcfdl.certificate",
                   to_hex(result.certificate_hash), "the certificate's SHA-256, " + to_hex(hash));
  const auto parsed = wire::parse<wire::Certificate>(certificate.statement());
  if (!findings.require(parsed.has_value(), "certificate", "no certificate", "the one that the result is of")) return;
  findings.require(as_text(result.key) == parsed->verify_key(), "cnf.jwk", to_hex(result.key),
                   "the certificate's key, " + to_hex(as_bytes(parsed->verify_key())));
}

} // namespace tcfdl::attestation
