#include "wire/client_leaf.hpp"

#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kShown = 1'800'000'000;

/// A leaf in which everything is right; each test breaks one thing.
class ClientLeaf : public testing::Test {
protected:
  ClientLeaf() {
    anna_.set_subject("anna");
    anna_.set_role(ROLE_CLIENT);
    anna_.set_verify_key(field(key_.public_key().bytes()));
    anna_.set_cluster("west");
    anna_.set_issued(kShown - 100);
    anna_.set_expires(kShown + 100);
    anna_.set_serial(8);
    anna_.add_grants("echo");
  }
  /// The leaf of that key with that statement; an empty one makes a server's.
  Bytes leaf(const crypto::SigningKey& key, Bytes statement) const {
    const auto root = crypto::make_tls_root(authority_, kServerDomain, {kShown - 1000, kShown + 1000});
    const auto made = crypto::issue_tls_certificate(authority_, root,
                                                    {.key = key.public_key(),
                                                     .dns_names = {client_name("anna", "west")},
                                                     .validity = {kShown - 100, kShown + 100},
                                                     .client_statement = std::move(statement)});
    return made.value().der();
  }
  [[nodiscard]] Bytes leaf() const { return leaf(key_, serialize(sign(authority_, anna_))); }
  [[nodiscard]] Result<TlsClient> show(const Bytes& shown) const {
    return verify_client_leaf(shown, {authority_.public_key(), cluster_, revocations_, kShown});
  }
  void expect_refused(const Bytes& shown, Code code, const std::string& words) const {
    const auto refused = show(shown);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), code);
    EXPECT_THAT(refused.error().message(), HasSubstr(words));
  }

  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const crypto::SigningKey key_ = crypto::SigningKey::generate();
  const std::string cluster_ = "west";
  Certificate anna_;
  Revocations revocations_{authority_.public_key()};
};

TEST_F(ClientLeaf, NamesItsClientAndCarriesItsCertificate) {
  const auto client = show(leaf());
  ASSERT_TRUE(client) << client.error().to_string();
  EXPECT_EQ(client->parsed.subject(), "anna");
  EXPECT_TRUE(grants_allow(client->parsed, "echo"));
  EXPECT_TRUE(verify_certificate(authority_.public_key(), client->certificate, {ROLE_CLIENT}, kShown));
}

TEST_F(ClientLeaf, IsRefusedWithoutAStatement) {
  expect_refused(leaf(key_, {}), Code::kUnauthenticated, "has no extension");
  expect_refused(leaf(key_, {1, 2, 3}), Code::kUnauthenticated, "are no");
  expect_refused({1, 2, 3}, Code::kUnauthenticated, "the TLS certificate");
}

TEST_F(ClientLeaf, IsRefusedWhenAnotherThanTheAuthoritySignedTheStatement) {
  expect_refused(leaf(key_, serialize(sign(key_, anna_))), Code::kUnauthenticated, "Certificate");
}

TEST_F(ClientLeaf, IsRefusedWhenTheStatementHasExpired) {
  anna_.set_expires(kShown);
  expect_refused(leaf(), Code::kUnauthenticated, "has expired");
}

TEST_F(ClientLeaf, IsRefusedForWhoIsNoClient) {
  anna_.set_role(ROLE_MASTER);
  expect_refused(leaf(), Code::kPermissionDenied, "its role is");
}

TEST_F(ClientLeaf, IsRefusedForAClientOfAnotherCluster) {
  anna_.set_cluster("east");
  expect_refused(leaf(), Code::kUnauthenticated, "is a client of cluster east, this is west");
}

TEST_F(ClientLeaf, IsRefusedForAnotherKeyThanTheOneThatTlsProved) {
  const auto thief = crypto::SigningKey::generate();
  expect_refused(leaf(thief, serialize(sign(authority_, anna_))), Code::kUnauthenticated, "is of another key");
}

TEST_F(ClientLeaf, IsRefusedWhenTheKeyIsRevokedButNotWhenTheCertificateWasReplaced) {
  RevocationList list;
  list.set_number(1);
  list.add_serials(8);
  ASSERT_TRUE(revocations_.accept(sign(authority_, list)));
  EXPECT_TRUE(show(leaf())) << "its grants have changed; it is still anna";
  list.set_number(2);
  list.add_keys(field(crypto::sha256(as_bytes(anna_.verify_key()))));
  ASSERT_TRUE(revocations_.accept(sign(authority_, list)));
  expect_refused(leaf(), Code::kUnauthenticated, "the key of anna is revoked");
}

} // namespace
} // namespace tcfdl::wire
