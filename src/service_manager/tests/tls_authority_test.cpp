#include "service_manager/authority/tls_authority.hpp"

#include "crypto/hash.hpp"
#include "service_manager/tests/world.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::service_manager {
namespace {

class TlsRoot : public World {};

TEST_F(TlsRoot, IsOfTheKeyThatTokensPin) {
  wire::CreateToken request;
  request.set_role(wire::ROLE_MASTER);
  request.set_cluster("west");
  const auto token = must(authority_->create_token(request));
  const auto tls = authority_->tls();
  must(crypto::check_tls_root(tls.root().der(), as_bytes(token.authority_key_hash()), kNow));
}

TEST_F(TlsRoot, OfARestartedAuthorityVouchesForWhatItIssuedBefore) {
  const auto key = crypto::SigningKey::generate();
  const auto leaf = must(authority_->tls().issue(key.public_key(), {"a.tcfdl.internal"}, kNow + 100));
  clock_.advance(10);
  start();
  must(crypto::check_tls_certificate(leaf, authority_->tls().root(), key.public_key(), "a.tcfdl.internal", kNow + 10));
}

TEST_F(TlsRoot, PutsCertificatesOfClientsGatewaysAndInstancesIntoTheFormOfTlsAndNoOthers) {
  const auto key = crypto::SigningKey::generate();
  const auto tls = authority_->tls();
  wire::Certificate certificate;
  certificate.set_subject("anna");
  certificate.set_role(wire::ROLE_CLIENT);
  certificate.set_cluster("west");
  certificate.set_verify_key(wire::field(key.public_key().bytes()));
  certificate.set_expires(kNow + 100);
  wire::Signed of_client;
  of_client.set_statement(certificate.SerializeAsString());
  const auto client = must(tls.chain_of(of_client));
  ASSERT_EQ(client.size(), 2U);
  must(crypto::check_tls_certificate(client[0], client[1], key.public_key(), "anna.west.client.tcfdl.internal", kNow));
  EXPECT_EQ(crypto::client_statement_of(client[0]).value(), wire::serialize(of_client));
  EXPECT_EQ(client[0].validity().not_after, kNow + 100);

  certificate.set_role(wire::ROLE_GATEWAY);
  wire::Signed of_gateway;
  of_gateway.set_statement(certificate.SerializeAsString());
  const auto gateway = must(tls.chain_of(of_gateway));
  ASSERT_EQ(gateway.size(), 2U);
  must(crypto::check_tls_certificate(gateway[0], gateway[1], key.public_key(), "west.gateway.tcfdl.internal", kNow));
  EXPECT_EQ(crypto::client_statement_of(gateway[0]).error().code(), Code::kNotFound);

  certificate.set_role(wire::ROLE_INSTANCE);
  wire::Signed of_instance;
  of_instance.set_statement(certificate.SerializeAsString());
  const auto instance = must(tls.chain_of(of_instance));
  ASSERT_EQ(instance.size(), 2U);
  must(crypto::check_tls_certificate(instance[0], instance[1], key.public_key(), wire::instance_server("anna", "west"),
                                     kNow));

  for (const auto role : {wire::ROLE_PROXY, wire::ROLE_MASTER, wire::ROLE_WORKER}) {
    certificate.set_role(role);
    wire::Signed other;
    other.set_statement(certificate.SerializeAsString());
    EXPECT_TRUE(must(tls.chain_of(other)).empty()) << role;
  }
}

TEST_F(TlsRoot, IssuesNothingThatHasExpired) {
  const auto key = crypto::SigningKey::generate();
  EXPECT_THAT(refusal(authority_->tls().issue(key.public_key(), {"a.tcfdl.internal"}, kNow)),
              Refuses(Code::kInvalidArgument, "expired"));
}

} // namespace
} // namespace tcfdl::service_manager
