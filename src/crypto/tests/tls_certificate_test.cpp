#include "crypto/tls_certificate.hpp"

#include "crypto/hash.hpp"
#include "crypto/pem.hpp"

#include <gmock/gmock.h>

namespace tcfdl::crypto {
namespace {

using testing::HasSubstr;

constexpr UnixSeconds kToday = 1'800'000'000;
constexpr Validity kYears{kToday - 1000, kToday + 100'000'000};
constexpr Validity kDays{kToday - 100, kToday + 1000};

class TlsCertificate : public testing::Test {
protected:
  Result<Certificate> issue(std::vector<std::string> names, Validity validity = kDays) const {
    return issue_tls_certificate(authority_, root_, {node_.public_key(), std::move(names), validity});
  }
  Status check(const Certificate& leaf, UnixSeconds now = kToday) const {
    return check_tls_certificate(leaf, root_, node_.public_key(), "west.tcfdl.internal", now);
  }
  Result<Certificate> check_root(const Certificate& root, UnixSeconds now = kToday) const {
    return check_tls_root(root.der(), sha256(authority_.public_key().bytes()), now);
  }

  const SigningKey authority_ = SigningKey::generate();
  const SigningKey node_ = SigningKey::generate();
  const Certificate root_ = make_tls_root(authority_, "tcfdl.internal", kYears);
};

TEST_F(TlsCertificate, IsOfTheRootTheKeyAndTheName) {
  const auto leaf = issue({"west.tcfdl.internal", "node.west.tcfdl.internal"});
  ASSERT_TRUE(leaf) << leaf.error().to_string();
  const auto checked = check(*leaf);
  EXPECT_TRUE(checked) << checked.error().to_string();
  EXPECT_TRUE(check_tls_certificate(*leaf, root_, node_.public_key(), "node.west.tcfdl.internal", kToday));
  const auto other_name = check_tls_certificate(*leaf, root_, node_.public_key(), "east.tcfdl.internal", kToday);
  EXPECT_THAT(other_name.error().message(), HasSubstr("is not for east.tcfdl.internal"));
  const auto other_key = check_tls_certificate(*leaf, root_, authority_.public_key(), "west.tcfdl.internal", kToday);
  EXPECT_THAT(other_key.error().message(), HasSubstr("is of another key"));
}

TEST_F(TlsCertificate, IsRefusedOutsideOfItsTime) {
  const auto leaf = issue({"west.tcfdl.internal"}).value();
  EXPECT_EQ(check(leaf, kDays.not_after + 1).error().code(), Code::kUnauthenticated);
  EXPECT_EQ(check(leaf, kDays.not_before - 1).error().code(), Code::kUnauthenticated);
}

TEST_F(TlsCertificate, IsRefusedFromAnotherRootEvenOfTheSameName) {
  const auto leaf = issue({"west.tcfdl.internal"}).value();
  const auto rogue = SigningKey::generate();
  const auto rogue_root = make_tls_root(rogue, "tcfdl.internal", kYears);
  EXPECT_EQ(check_tls_certificate(leaf, rogue_root, node_.public_key(), "west.tcfdl.internal", kToday).error().code(),
            Code::kUnauthenticated);
  // Issued in the root's name, signed by another key.
  const auto forged = issue_tls_certificate(rogue, root_, {node_.public_key(), {"west.tcfdl.internal"}, kDays}).value();
  EXPECT_EQ(check(forged).error().code(), Code::kUnauthenticated);
}

TEST_F(TlsCertificate, OfALaterRootOfTheSameKeyStands) {
  const auto leaf = issue({"west.tcfdl.internal"}).value();
  const auto later = make_tls_root(authority_, "tcfdl.internal", {kToday - 10, kToday + 10'000});
  EXPECT_TRUE(check_tls_certificate(leaf, later, node_.public_key(), "west.tcfdl.internal", kToday));
}

TEST_F(TlsCertificate, OfAClientCarriesItsStatementAndIsNoServers) {
  const TlsLeaf client{node_.public_key(), {"anna.west.tcfdl.internal"}, kDays, {1, 2, 3}};
  const auto leaf = issue_tls_certificate(authority_, root_, client).value();
  EXPECT_EQ(client_statement_of(leaf).value(), (Bytes{1, 2, 3}));
  EXPECT_EQ(leaf.extension(kClientStatementOid).value(), (Bytes{4, 3, 1, 2, 3})) << "DER, as RFC 5280 wants it";
  const auto purposes = leaf.extension("2.5.29.37").value(); // extKeyUsage: a sequence of OIDs
  EXPECT_THAT(std::string(as_text(purposes)), HasSubstr("\x2B\x06\x01\x05\x05\x07\x03\x02")); // clientAuth
  EXPECT_THAT(std::string(as_text(purposes)), testing::Not(HasSubstr("\x2B\x06\x01\x05\x05\x07\x03\x01")));
  EXPECT_EQ(client_statement_of(issue({"west.tcfdl.internal"}).value()).error().code(), Code::kNotFound);
}

TEST_F(TlsCertificate, IsNoAuthority) {
  const auto leaf = issue({"west.tcfdl.internal"}).value();
  const auto below = issue_tls_certificate(node_, leaf, {node_.public_key(), {"west.tcfdl.internal"}, kDays}).value();
  EXPECT_FALSE(check_chain({below, leaf, root_}, kToday));
}

TEST_F(TlsCertificate, NeedsNamesThatAreNames) {
  EXPECT_EQ(issue({}).error().code(), Code::kInvalidArgument);
  for (const std::string name : {"", "a..b", ".a", "a.", "a b", "a,DNS:b", "*.a", "-a", "a-", "a_b", "a\nb"}) {
    EXPECT_EQ(issue({name}).error().code(), Code::kInvalidArgument) << name;
  }
  EXPECT_TRUE(issue({std::string(63, 'a') + ".tcfdl.internal"}));
  EXPECT_FALSE(is_dns_name(std::string(64, 'a')));
}

TEST_F(TlsCertificate, RootIsPinnedByTheHashOfItsKey) {
  EXPECT_TRUE(check_root(root_));
  EXPECT_EQ(check_root(root_, kYears.not_after + 1).error().code(), Code::kUnauthenticated);
  const auto rogue = SigningKey::generate();
  EXPECT_THAT(check_root(make_tls_root(rogue, "tcfdl.internal", kYears)).error().message(), HasSubstr("another key"));
  // The right key, certified by somebody else.
  const auto rogue_root = make_tls_root(rogue, "tcfdl.internal", kYears);
  const auto crossed =
      issue_tls_certificate(rogue, rogue_root, {authority_.public_key(), {"a.tcfdl.internal"}, kDays}).value();
  EXPECT_EQ(check_root(crossed).error().code(), Code::kUnauthenticated);
}

TEST_F(TlsCertificate, KeysAndCertificatesHaveTheirTextForm) {
  const auto pem = to_pem(root_.der(), "CERTIFICATE");
  EXPECT_EQ(Certificate::parse(as_bytes(pem)).value(), root_);
  const auto key = private_key_pem(node_);
  EXPECT_THAT(std::string(as_text(key.span())), testing::StartsWith("-----BEGIN PRIVATE KEY-----\n"));
}

} // namespace
} // namespace tcfdl::crypto
