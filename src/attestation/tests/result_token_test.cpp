#include "attestation/result_token.hpp"

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "crypto/jose.hpp"
#include "wire/signed.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace tcfdl::attestation {
namespace {

using testing::HasSubstr;
using Change = std::function<void(nlohmann::json&)>;

constexpr UnixSeconds kIssuedAt = 1'800'000'000;

class ResultToken : public testing::Test {
protected:
  ResultToken() {
    result_.subject = "west/w1/proxy";
    result_.issued = kIssuedAt;
    result_.expires = kIssuedAt + kResultLifetime;
    result_.nonce = Bytes(16, 9);
    const auto holder = crypto::SigningKey::generate();
    result_.key = Bytes(holder.public_key().bytes().begin(), holder.public_key().bytes().end());
    result_.role = "proxy";
    result_.cluster = "west";
    result_.node = "w1";
    result_.measurement = Bytes(32, 1);
    result_.assurance = "hardware";
    result_.policy_version = 7;
    result_.certificate_hash = Bytes(32, 2);
    result_.evidence_hash = Bytes(32, 3);
    result_.tee_kind = "sgx";
    result_.tee_measurement = Bytes(32, 1);
    result_.signer = Bytes(32, 4);
    result_.svn = 5;
    result_.tcb_status = "SWHardeningNeeded";
    result_.advisories = {"INTEL-SA-00615"};
  }

  [[nodiscard]] std::string token() const { return sign_result(authority_, result_); }

  /// A token of the authority over changed JSON.
  [[nodiscard]] std::string forged(const Change& change_header, const Change& change_payload) const {
    const auto original = token();
    const auto first = original.find('.');
    const auto second = original.find('.', first + 1);
    const auto part = [](std::string_view text, const Change& change) {
      auto document = nlohmann::json::parse(as_text(from_base64url(text).value()));
      if (change) change(document);
      return to_base64url(as_bytes(document.dump()));
    };
    const std::string_view all = original;
    return signed_text(part(all.substr(0, first), change_header) + "." +
                       part(all.substr(first + 1, second - first - 1), change_payload));
  }
  [[nodiscard]] std::string signed_text(const std::string& text) const {
    return text + "." + to_base64url(crypto::sign_es256(authority_, as_bytes(text)));
  }
  /// The claims that are refused, joined; empty if it is accepted.
  [[nodiscard]] std::string refusal(const std::string& text, UnixSeconds now = kIssuedAt + 1) const {
    Findings findings;
    const auto result = verify_result(keys_, text, now, findings);
    EXPECT_EQ(result.has_value(), findings.reasons().empty());
    std::vector<std::string> claims;
    for (const auto& reason : findings.reasons()) claims.push_back(reason.claim);
    return fmt::format("{}", fmt::join(claims, ","));
  }
  [[nodiscard]] std::string header_refusal(const Change& change) const { return refusal(forged(change, {})); }
  [[nodiscard]] std::string claim_refusal(const Change& change) const { return refusal(forged({}, change)); }

  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  Jwks keys_{{authority_.public_key()}};
  AttestationResult result_;
};

TEST_F(ResultToken, SaysOfflineWhatTheAuthoritySigned) {
  Findings findings;
  const auto read = verify_result(keys_, token(), kIssuedAt + 1, findings);
  ASSERT_TRUE(read) << findings.reasons()[0].claim;
  auto expected = result_;
  expected.issuer = thumbprint(authority_.public_key());
  EXPECT_EQ(*read, expected);
  result_.nonce.clear();
  EXPECT_TRUE(verify_result(keys_, token(), kIssuedAt + 1, findings)->nonce.empty());
}

TEST_F(ResultToken, IsOfTheFormThatTheRfcsGive) {
  const auto text = token();
  const std::string header(as_text(from_base64url(text.substr(0, text.find('.'))).value()));
  EXPECT_EQ(header,
            fmt::format(R"({{"alg":"ES256","kid":"{}","typ":"eat+jwt"}})", thumbprint(authority_.public_key())));
  const auto rest = text.substr(text.find('.') + 1);
  const auto claims = nlohmann::json::parse(as_text(from_base64url(rest.substr(0, rest.find('.'))).value()));
  EXPECT_EQ(claims["iat"], kIssuedAt);
  EXPECT_EQ(claims["exp"], kIssuedAt + kResultLifetime);
  EXPECT_EQ(claims["eat_nonce"], to_base64url(Bytes(16, 9)));
  EXPECT_EQ(claims["cnf"]["jwk"]["kty"], "EC");
  EXPECT_EQ(claims["submods"]["tee"]["dbgstat"], "disabled-since-boot");
}

TEST_F(ResultToken, OfTheSoftwareTeeItSaysThatSomebodyCanDebugIt) {
  result_.tee_kind = "software";
  EXPECT_THAT(
      std::string(as_text(
          from_base64url(token().substr(token().find('.') + 1, token().rfind('.') - token().find('.') - 1)).value())),
      HasSubstr(R"("dbgstat":"enabled")"));
  EXPECT_EQ(refusal(token()), "");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["submods"]["tee"]["dbgstat"] = "disabled-since-boot"; }),
            "submods.tee.dbgstat");
}

TEST_F(ResultToken, OnlyEs256OfAKnownKeyIsTaken) {
  EXPECT_EQ(header_refusal([](auto& header) { header["alg"] = "none"; }), "header.alg");
  EXPECT_EQ(header_refusal([](auto& header) { header["alg"] = "HS256"; }), "header.alg");
  EXPECT_EQ(header_refusal([](auto& header) { header["alg"] = 7; }), "header.alg,header.alg");
  EXPECT_EQ(header_refusal([](auto& header) { header["typ"] = "JWT"; }), "header.typ");
  EXPECT_EQ(header_refusal([](auto& header) { header["kid"] = "x"; }), "header.kid");
  for (const auto* name : {"jwk", "jku", "x5c", "crit", "b64"}) {
    EXPECT_THAT(header_refusal([&](auto& header) { header[name] = "x"; }), testing::StartsWith("header,")) << name;
  }
  for (const auto* name : {"alg", "typ", "kid"}) {
    EXPECT_THAT(header_refusal([&](auto& header) { header.erase(name); }), testing::StartsWith("header,")) << name;
  }
  const auto stranger = crypto::SigningKey::generate();
  EXPECT_EQ(refusal(sign_result(stranger, result_)), "header.kid");
  // The stranger's signature under the authority's kid.
  const auto text = token().substr(0, token().rfind('.'));
  EXPECT_EQ(refusal(text + "." + to_base64url(crypto::sign_es256(stranger, as_bytes(text)))), "signature");
}

TEST_F(ResultToken, EveryByteIsSigned) {
  const auto good = token();
  ASSERT_EQ(refusal(good), "");
  for (std::size_t i = 0; i < good.size(); i += 7) {
    auto bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(refusal(bad), "") << i;
  }
  EXPECT_EQ(refusal(good.substr(0, good.rfind('.') + 1)), "signature");
  EXPECT_EQ(refusal(good + "AA"), "signature");
}

TEST_F(ResultToken, TheFormIsBounded) {
  EXPECT_EQ(refusal(""), "token");
  EXPECT_EQ(refusal("a.b"), "token");
  EXPECT_EQ(refusal(token() + ".x"), "token");
  EXPECT_EQ(refusal(std::string(20'000, 'a') + ".b.c"), "token");
  EXPECT_EQ(refusal("e30=.e30.AA"), "header") << "no padding";
  const auto header = token().substr(0, token().find('.'));
  EXPECT_EQ(refusal(signed_text(header + "." + to_base64url(as_bytes("[]")))), "payload");
  EXPECT_EQ(refusal(signed_text(header + "." + to_base64url(as_bytes(R"({"iat":1,"iat":2})")))), "payload");
  EXPECT_EQ(refusal(signed_text(header + "." + to_base64url(as_bytes(R"({"a":[[[[[[1]]]]]]})")))), "payload");
}

TEST_F(ResultToken, HoldsInItsTimeOnly) {
  EXPECT_EQ(refusal(token(), kIssuedAt + kResultLifetime - 1), "");
  EXPECT_EQ(refusal(token(), kIssuedAt + kResultLifetime), "exp");
  EXPECT_EQ(refusal(token(), kIssuedAt - 60), "");
  EXPECT_EQ(refusal(token(), kIssuedAt - 61), "iat");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["exp"] = kIssuedAt + kLongestResult; }), "");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["exp"] = kIssuedAt + kLongestResult + 1; }), "exp");
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["iat"] = -1; }), HasSubstr("iat"));
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["exp"] = 1e300; }), HasSubstr("exp"));
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["exp"] = 18'446'744'073'709'551'615ULL; }), HasSubstr("exp"));
}

TEST_F(ResultToken, ClaimsAreExactlyThoseOfTheProfile) {
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["iss"] = "somebody"; }), "iss");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["eat_profile"] = "x"; }), "eat_profile");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["eat_nonce"] = "AAAA"; }), "eat_nonce");
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["aud"] = "x"; }), testing::StartsWith("claims"));
  EXPECT_THAT(claim_refusal([](auto& claims) { claims.erase("cnf"); }), testing::StartsWith("claims"));
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["cnf"]["jwk"]["d"] = "AA"; }), "cnf.jwk");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["cnf"]["jwk"]["x"] = to_base64url(Bytes(32, 1)); }), "cnf.jwk");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["cnf"]["kid"] = "x"; }), "cnf");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["tcfdl"]["measurement"] = "xyz"; }), "tcfdl.measurement");
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["tcfdl"]["more"] = 1; }), testing::StartsWith("tcfdl"));
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["tcfdl"]["policy_version"] = "7"; }), "tcfdl.policy_version");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["submods"]["tee"]["tcfdl"]["advisories"] = {1}; }),
            "submods.tee.tcfdl.advisories");
  EXPECT_EQ(claim_refusal([](auto& claims) { claims["submods"]["tee"]["tcfdl"]["debug"] = 0; }),
            "submods.tee.tcfdl.debug");
  EXPECT_THAT(claim_refusal([](auto& claims) { claims["submods"]["other"] = 1; }), HasSubstr("submods"));
}

TEST_F(ResultToken, KeySetsAreReadBackAndChecked) {
  const Jwks two({authority_.public_key(), crypto::SigningKey::generate().public_key()});
  const auto again = Jwks::parse(as_bytes(two.text()));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->size(), 2U);
  EXPECT_EQ(again->text(), two.text());
  EXPECT_NE(again->find(thumbprint(authority_.public_key())), nullptr);
  EXPECT_EQ(again->find("x"), nullptr);
  const auto changed = [&](const Change& change) {
    auto document = nlohmann::json::parse(keys_.text());
    change(document);
    const auto parsed = Jwks::parse(as_bytes(document.dump()));
    return parsed ? "" : parsed.error().message();
  };
  EXPECT_EQ(changed([](auto& set) { set["keys"][0]["unknown"] = 1; }), "");
  EXPECT_EQ(changed([](auto& set) { set["keys"][0].erase("kid"); }), "");
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["kid"] = "x"; }), HasSubstr("thumbprint"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["d"] = "x"; }), HasSubstr("private"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["use"] = "enc"; }), HasSubstr("signatures"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["alg"] = "none"; }), HasSubstr("signatures"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["crv"] = "P-384"; }), HasSubstr("P-256"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["kty"] = "oct"; }), HasSubstr("EC"));
  EXPECT_THAT(changed([](auto& set) { set["keys"][0]["y"] = "AA"; }), HasSubstr("'y'"));
  EXPECT_THAT(changed([](auto& set) { set["keys"] = nlohmann::json::array(); }), HasSubstr("1 to 16"));
  EXPECT_THAT(changed([](auto& set) { set["keys"] = nlohmann::json(17, set["keys"][0]); }), HasSubstr("1 to 16"));
  EXPECT_THAT(changed([](auto& set) { set.erase("keys"); }), HasSubstr("'keys'"));
  EXPECT_FALSE(Jwks::parse(as_bytes("no JSON")));
}

TEST(Thumbprint, IsThatOfRfc7638) {
  // The members in the order of RFC 7638 section 3.3, hashed; the key is that of RFC 7515 appendix A.3.
  const auto key = key_of_jwk({{"kty", "EC"},
                               {"crv", "P-256"},
                               {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                               {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}});
  ASSERT_TRUE(key);
  EXPECT_EQ(thumbprint(*key), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

TEST_F(ResultToken, IsOfOneCertificateAndItsKey) {
  wire::Certificate certificate;
  certificate.set_subject("w1/proxy");
  certificate.set_verify_key(std::string(as_text(result_.key)));
  const auto signed_certificate = wire::sign(authority_, certificate);
  const auto reasons_for = [&](const wire::Signed& shown) {
    Findings findings;
    require_certificate(result_, shown, findings);
    std::vector<std::string> claims;
    for (const auto& reason : findings.reasons()) claims.push_back(reason.claim);
    return claims;
  };
  const auto hash = crypto::sha256(as_bytes(signed_certificate.statement()));
  result_.certificate_hash = Bytes(hash.begin(), hash.end());
  EXPECT_THAT(reasons_for(signed_certificate), testing::IsEmpty());
  certificate.set_subject("w2/proxy");
  EXPECT_THAT(reasons_for(wire::sign(authority_, certificate)), testing::ElementsAre("tcfdl.certificate"));
  result_.key.back() ^= 1;
  EXPECT_THAT(reasons_for(signed_certificate), testing::ElementsAre("cnf.jwk"));
  EXPECT_THAT(reasons_for(wire::Signed()), testing::ElementsAre("tcfdl.certificate", "cnf.jwk"));
}

} // namespace
} // namespace tcfdl::attestation
