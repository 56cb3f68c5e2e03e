#include "crypto/x509.hpp"

#include "crypto/samples/test_pki.hpp"
#include "crypto/tests/hex.hpp"

#include <gmock/gmock.h>

namespace tcfdl::crypto {
namespace {

using testing::HasSubstr;
constexpr UnixSeconds kFrom = 1'700'000'000;
constexpr UnixSeconds kTo = 1'800'000'000;

test::CertificateText text(const std::string& subject, const std::string& issuer, bool ca) {
  return {.subject = subject, .issuer = issuer, .not_before = kFrom, .not_after = kTo, .ca = ca};
}

Certificate make(const test::CertificateText& what, const test::Key& subject, const test::Key& issuer) {
  auto made = Certificate::parse(test::make_certificate(what, subject, issuer));
  EXPECT_TRUE(made) << made.error().to_string();
  return *std::move(made);
}

class Chain : public testing::Test {
protected:
  test::Key root_key_ = test::Key::p256();
  test::Key ca_key_ = test::Key::p256();
  test::Key leaf_key_ = test::Key::p256();
  Certificate root_ = make(text("Root", "Root", true), root_key_, root_key_);
  Certificate ca_ = make(text("CA", "Root", true), ca_key_, root_key_);
  Certificate leaf_ = make(text("Leaf", "CA", false), leaf_key_, ca_key_);
};

TEST_F(Chain, ReadsWhatACertificateSays) {
  EXPECT_EQ(leaf_.subject(), "CN=Leaf");
  EXPECT_EQ(leaf_.issuer(), "CN=CA");
  EXPECT_EQ(leaf_.common_name(), "Leaf");
  EXPECT_EQ(leaf_.issuer_common_name(), "CA");
  EXPECT_EQ(leaf_.serial(), Bytes{1});
  EXPECT_EQ(leaf_.validity().not_before, kFrom);
  EXPECT_EQ(leaf_.validity().not_after, kTo);
  EXPECT_EQ(leaf_.curve(), Curve::kP256);
  EXPECT_EQ(leaf_.point(), leaf_key_.point());
  EXPECT_EQ(leaf_.public_key_info().size(), 91U);
}

TEST(Certificate, ReadsSerialsKeysAndExtensions) {
  const auto key = test::Key::p384();
  auto what = text("VCEK", "VCEK", false);
  what.serial = 0;
  what.extensions = {{"1.3.6.1.4.1.3704.1.4", {7, 8, 9}}, {"1.2.3.4", {1}}, {"1.2.3.4", {2}}};
  const auto made = make(what, key, key);
  EXPECT_EQ(made.serial(), Bytes{0});
  EXPECT_EQ(made.curve(), Curve::kP384);
  EXPECT_EQ(made.point(), key.point());
  EXPECT_EQ(made.extension("1.3.6.1.4.1.3704.1.4").value(), (Bytes{7, 8, 9}));
  EXPECT_EQ(made.extension("1.3.6.1.4.1.3704.1.5").error().code(), Code::kNotFound);
  EXPECT_EQ(made.extension("1.2.3.4").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(made.extension("no oid").error().code(), Code::kInvalidArgument);
}

TEST_F(Chain, ParsesPemAndDerAndRefusesTheRest) {
  const auto pem = test::to_pem(leaf_.der());
  EXPECT_EQ(Certificate::parse(as_bytes("text around\n" + pem + "\n and after")).value(), leaf_);
  EXPECT_FALSE(Certificate::parse({}));
  EXPECT_FALSE(Certificate::parse(as_bytes("hello")));
  EXPECT_FALSE(Certificate::parse(as_bytes(pem + test::to_pem(root_.der()))));
  EXPECT_FALSE(Certificate::parse(as_bytes(pem.substr(0, pem.size() - 10))));
  EXPECT_FALSE(Certificate::parse(as_bytes("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n")));
  auto longer = leaf_.der();
  longer.push_back(0);
  EXPECT_FALSE(Certificate::parse(longer));
  for (std::size_t size = 0; size < leaf_.der().size(); size += 9) {
    EXPECT_FALSE(Certificate::parse(BytesView(leaf_.der()).first(size)));
  }
}

TEST_F(Chain, ParsesBundlesWithinBounds) {
  auto der = leaf_.der();
  der.insert(der.end(), ca_.der().begin(), ca_.der().end());
  EXPECT_EQ(parse_certificates(der).value(), (std::vector{leaf_, ca_}));
  EXPECT_EQ(parse_certificates(as_bytes(test::to_pem(ca_.der()) + test::to_pem(leaf_.der()))).value(),
            (std::vector{ca_, leaf_}));
  std::string many;
  for (std::size_t i = 0; i <= kMostCertificates; ++i) many += test::to_pem(leaf_.der());
  EXPECT_THAT(parse_certificates(as_bytes(many)).error().message(), HasSubstr("more than 32"));
  EXPECT_FALSE(parse_certificates(Bytes(kLargestBundle + 1, 0x30)));
}

TEST_F(Chain, IsBuiltFromAnyOrderAndChecked) {
  const auto chain = build_chain(leaf_, {root_, leaf_, ca_});
  ASSERT_TRUE(chain) << chain.error().to_string();
  EXPECT_EQ(*chain, (std::vector{leaf_, ca_, root_}));
  EXPECT_TRUE(check_chain(*chain, kFrom));
  EXPECT_TRUE(check_chain(*chain, kTo));
  EXPECT_THAT(check_chain(*chain, kTo + 1).error().message(), HasSubstr("'Leaf': it is valid from"));
  EXPECT_FALSE(check_chain(*chain, kFrom - 1));
  EXPECT_FALSE(check_chain({}, kFrom));
  EXPECT_FALSE(check_chain({leaf_, ca_}, kFrom)) << "does not end in a self-issued certificate";
  EXPECT_THAT(build_chain(leaf_, {root_}).error().message(), HasSubstr("'CA'"));
}

TEST_F(Chain, RefusesForeignSignaturesAndNames) {
  EXPECT_THAT(leaf_.check_issued_by(root_).error().message(), HasSubstr("its issuer is 'CN=CA'"));
  const auto impostor = make(text("CA", "Root", true), test::Key::p256(), root_key_);
  EXPECT_EQ(leaf_.check_issued_by(impostor).error().code(), Code::kUnauthenticated);
  auto damaged = leaf_.der();
  damaged.back() ^= 1;
  EXPECT_FALSE(Certificate::parse(damaged).value().check_issued_by(ca_));
}

TEST_F(Chain, RefusesIssuersThatMayNotIssue) {
  const auto no_ca = make(text("CA", "Root", false), ca_key_, root_key_);
  EXPECT_THAT(leaf_.check_issued_by(no_ca).error().message(), HasSubstr("not one of a CA"));
  auto what = text("CA", "Root", true);
  what.key_usage = "critical,digitalSignature";
  EXPECT_THAT(leaf_.check_issued_by(make(what, ca_key_, root_key_)).error().message(), HasSubstr("may not sign"));
  what = text("Root", "Root", true);
  what.path_length = 0;
  const auto short_root = make(what, root_key_, root_key_);
  EXPECT_THAT(check_chain({leaf_, ca_, short_root}, kFrom).error().message(), HasSubstr("may have 0 CAs"));
}

TEST_F(Chain, RefusesWeakHashesAndUnknownCriticalExtensions) {
  auto what = text("Leaf", "CA", false);
  what.digest = "SHA1";
  EXPECT_THAT(make(what, leaf_key_, ca_key_).check_issued_by(ca_).error().message(), HasSubstr("no hash of SHA-256"));
  what = text("Leaf", "CA", false);
  what.extensions = {{"1.2.3.4", {5, 0}, true}};
  EXPECT_THAT(make(what, leaf_key_, ca_key_).check_issued_by(ca_).error().message(), HasSubstr("critical extension"));
}

TEST(Certificate, IsCheckedUnderRsaPss) {
  const auto& ark = test::Key::rsa(0);
  const auto& ask = test::Key::rsa(1);
  const auto vcek = test::Key::p384();
  const std::vector chain{make(text("VCEK", "ASK", false), vcek, ask), make(text("ASK", "ARK", true), ask, ark),
                          make(text("ARK", "ARK", true), ark, ark)};
  EXPECT_TRUE(check_chain(chain, kFrom));
  EXPECT_FALSE(chain[1].curve());
  EXPECT_FALSE(chain[1].verify_ecdsa(as_bytes("m"), Bytes(96)));
  EXPECT_TRUE(chain[0].verify_ecdsa(as_bytes("m"), vcek.sign(as_bytes("m"))));
  EXPECT_FALSE(chain[0].verify_ecdsa(as_bytes("n"), vcek.sign(as_bytes("m"))));
  const auto list = Crl::parse(test::make_crl({.issuer = "ARK", .this_update = kFrom, .next_update = kTo}, ark));
  ASSERT_TRUE(list) << list.error().to_string();
  EXPECT_TRUE(list->check_issued_by(chain[2]));
}

TEST_F(Chain, ListsTellWhatIsRevoked) {
  const auto der =
      test::make_crl({.issuer = "CA", .this_update = kFrom, .next_update = kTo, .serials = {1, 0x1234}}, ca_key_);
  const auto list = Crl::parse(der);
  ASSERT_TRUE(list) << list.error().to_string();
  EXPECT_TRUE(list->check_issued_by(ca_));
  EXPECT_TRUE(list->revokes(leaf_.serial()));
  EXPECT_TRUE(list->revokes({0x12, 0x34}));
  EXPECT_FALSE(list->revokes({0}));
  EXPECT_EQ(list->size(), 2U);
  EXPECT_TRUE(list->validity().contains(kTo));
  EXPECT_FALSE(list->validity().contains(kTo + 1));
  EXPECT_EQ(Crl::parse(as_bytes(test::to_pem(der, "X509 CRL")))->size(), 2U);
}

TEST_F(Chain, RefusesListsOfOthersAndDamagedOnes) {
  const test::CrlText what{.issuer = "CA", .this_update = kFrom, .next_update = kTo};
  EXPECT_FALSE(Crl::parse(test::make_crl(what, leaf_key_))->check_issued_by(ca_));
  EXPECT_FALSE(Crl::parse(test::make_crl(what, ca_key_))->check_issued_by(root_));
  auto usage = text("CA", "Root", true);
  usage.key_usage = "critical,keyCertSign";
  EXPECT_FALSE(Crl::parse(test::make_crl(what, ca_key_))->check_issued_by(make(usage, ca_key_, root_key_)));
  auto partial = what;
  partial.critical_extension = true;
  EXPECT_FALSE(Crl::parse(test::make_crl(partial, ca_key_)));
  auto der = test::make_crl(what, ca_key_);
  der.push_back(0);
  EXPECT_FALSE(Crl::parse(der));
  EXPECT_FALSE(Crl::parse({}));
  EXPECT_FALSE(Crl::parse(leaf_.der()));
  EXPECT_FALSE(Crl::parse(Bytes(kLargestCrl + 1)));
}

} // namespace
} // namespace tcfdl::crypto
