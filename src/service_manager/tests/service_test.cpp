#include "service_manager/service.hpp"

#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

class Requests : public World {
protected:
  Requests() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
  }
  template <class Body> Bytes request(const Body& body) {
    return wire::serialize(make_request(master_.verify, master_.certificate, clock_.now(), wire::serialize(body)));
  }
  static wire::AuthorityRequest token_request(wire::Role role, const std::string& cluster = "") {
    wire::AuthorityRequest body;
    body.mutable_create_token()->set_role(role);
    body.mutable_create_token()->set_cluster(cluster);
    return body;
  }
  static wire::RegistryRequest renewal() {
    wire::RegistryRequest body;
    body.mutable_renew()->set_lifetime(30);
    body.mutable_renew()->add_functions("plates/read");
    return body;
  }
  template <class Reply> static Reply reply(Result<Bytes> bytes) {
    return must(wire::parse<Reply>(must(std::move(bytes))));
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
};

TEST_F(Requests, AMasterAdministersItsCluster) {
  const auto state = reply<wire::RegistryReply>(service_->handle_registry(request(renewal())));
  EXPECT_THAT(state.renewed().missing(), testing::ElementsAre("plates/read"));
  wire::RegistryRequest body;
  *body.mutable_register_function() = signed_descriptor();
  must(service_->handle_registry(request(body)));
  body.mutable_inquire()->set_function("plates/read");
  const auto inquired = reply<wire::RegistryReply>(service_->handle_registry(request(body))).inquired();
  ASSERT_EQ(inquired.providers_size(), 1);
  EXPECT_EQ(inquired.providers(0).cluster(), "west");
  EXPECT_EQ(inquired.clusters(0).certificate().statement(), master_.certificate.statement());
  body.set_unregister_function("plates/read");
  must(service_->handle_registry(request(body)));
  EXPECT_THAT(refusal(service_->handle_registry(request(body))), Refuses(Code::kNotFound, "plates/read"));
}

TEST_F(Requests, AMastersCredentialComesWithACertificateInItsOwnName) {
  const auto key = crypto::SigningKey::generate();
  collaboration::CredentialRequest body;
  body.set_user_key(message_queue::Nkey::generate(message_queue::NkeyKind::kUser).public_text());
  body.mutable_own()->set_signing_key(message_queue::Nkey::generate(message_queue::NkeyKind::kAccount).public_text());
  body.mutable_own()->set_tls_key(wire::field(key.public_key().bytes()));
  const auto answer = reply<collaboration::CredentialReply>(service_->handle_credential(request(body)));
  const auto leaf = must(crypto::Certificate::parse(as_bytes(answer.tls_certificate())));
  const auto& root = service_->tls().root();
  for (const auto* name : {"west.cluster.tcfdl.internal", "m.west.cluster.tcfdl.internal"}) {
    must(crypto::check_tls_certificate(leaf, root, key.public_key(), name, clock_.now()));
  }
  EXPECT_FALSE(crypto::check_tls_certificate(leaf, root, key.public_key(), "east.cluster.tcfdl.internal", kNow));
  EXPECT_EQ(leaf.validity().not_after, answer.credential().expires());
  body.mutable_own()->set_tls_key("no key");
  EXPECT_THAT(refusal(service_->handle_credential(request(body))), Refuses(Code::kInvalidArgument, ""));
}

TEST_F(Requests, AMasterPassesOnItsProxiesRequests) {
  must(registry_->register_function("west", signed_descriptor()));
  HolderKeys instance{.name = "i"};
  wire::AuthorityRequest body;
  *body.mutable_instance_keys() = instance_request(worker_, statement(instance, worker_));
  const auto keys = reply<wire::AuthorityReply>(service_->handle_authority(request(body)));
  EXPECT_TRUE(keys.instance_keys().has_processor_key());
  instance.certificate = keys.instance_keys().certificate();
  *body.mutable_sender_keys() = sender_request(instance, worker_);
  EXPECT_TRUE(reply<wire::AuthorityReply>(service_->handle_authority(request(body))).sender_keys().has_sender_key());
}

TEST_F(Requests, ProxiesOfOtherClustersAreNotServed) {
  must(registry_->register_function("west", signed_descriptor()));
  NodeKeys stranger{.name = "s"};
  enrol(stranger, wire::ROLE_WORKER, "east");
  HolderKeys instance{.name = "i"};
  wire::AuthorityRequest body;
  *body.mutable_instance_keys() = instance_request(stranger, statement(instance, stranger));
  EXPECT_THAT(refusal(service_->handle_authority(request(body))), Refuses(Code::kPermissionDenied, "east"));
}

TEST_F(Requests, OnlyEnrolmentIsOpenToWhoHasNoCertificate) {
  HolderKeys client{.name = "phone"};
  wire::AuthorityRequest body;
  *body.mutable_enrol() = client_request(client, token(wire::ROLE_CLIENT));
  EXPECT_TRUE(reply<wire::AuthorityReply>(service_->handle_enrolment(wire::serialize(body))).has_enrol());
  EXPECT_THAT(refusal(service_->handle_enrolment(wire::serialize(token_request(wire::ROLE_CLIENT)))),
              Refuses(Code::kUnauthenticated, "only enrolment"));
  EXPECT_FALSE(service_->handle_authority(wire::serialize(body)));
  *body.mutable_enrol() = client_request(client, token(wire::ROLE_CLIENT));
  EXPECT_TRUE(service_->handle_authority(request(body))) << "a master may pass an enrolment on";
}

TEST_F(Requests, TokensAreForWorkersAndClientsOfTheOwnCluster) {
  const auto made = reply<wire::AuthorityReply>(service_->handle_authority(request(token_request(wire::ROLE_CLIENT))));
  HolderKeys client{.name = "phone"};
  must(authority_->enrol(client_request(client, made.create_token().secret())));
  EXPECT_THAT(refusal(service_->handle_authority(request(token_request(wire::ROLE_WORKER, "east")))),
              Refuses(Code::kPermissionDenied, "east"));
  EXPECT_THAT(refusal(service_->handle_authority(request(token_request(wire::ROLE_MASTER)))),
              Refuses(Code::kPermissionDenied, "service manager"));
}

TEST_F(Requests, ARepeatedTokenRequestGetsNoSecondToken) {
  const auto body = request(token_request(wire::ROLE_CLIENT));
  must(service_->handle_authority(body));
  EXPECT_THAT(refusal(service_->handle_authority(body)), Refuses(Code::kAlreadyExists, "sign it anew"));
  EXPECT_TRUE(service_->handle_authority(request(token_request(wire::ROLE_CLIENT))));
}

TEST_F(Requests, OtherRolesAndForeignKeysAreRefused) {
  const auto body = wire::serialize(renewal());
  const auto as_worker = make_request(worker_.verify, worker_.certificate, kNow, body);
  EXPECT_THAT(refusal(service_->handle_registry(wire::serialize(as_worker))),
              Refuses(Code::kPermissionDenied, "ROLE_WORKER"));
  const auto thief = make_request(worker_.verify, master_.certificate, kNow, body);
  EXPECT_EQ(refusal(service_->handle_registry(wire::serialize(thief))).code(), Code::kUnauthenticated);
}

TEST_F(Requests, TheSignatureCoversBodyAndTime) {
  auto good = make_request(master_.verify, master_.certificate, kNow, wire::serialize(renewal()));
  auto changed = good;
  changed.set_time(kNow + 1);
  EXPECT_EQ(refusal(service_->handle_registry(wire::serialize(changed))).code(), Code::kUnauthenticated);
  changed = good;
  auto other = renewal();
  other.mutable_renew()->set_lifetime(31);
  changed.set_body(other.SerializeAsString());
  EXPECT_EQ(refusal(service_->handle_registry(wire::serialize(changed))).code(), Code::kUnauthenticated);
  EXPECT_TRUE(service_->handle_registry(wire::serialize(good)));
}

TEST_F(Requests, OldAndFutureRequestsAreRefused) {
  const auto at = [&](UnixSeconds time) {
    return service_->handle_registry(
        wire::serialize(make_request(master_.verify, master_.certificate, time, wire::serialize(renewal()))));
  };
  EXPECT_TRUE(at(kNow - 300));
  EXPECT_TRUE(at(kNow + 300));
  EXPECT_THAT(refusal(at(kNow - 301)), Refuses(Code::kUnauthenticated, "clocks"));
  EXPECT_THAT(refusal(at(kNow + 301)), Refuses(Code::kUnauthenticated, "clocks"));
}

TEST_F(Requests, RemovedMastersAreRefused) {
  must(authority_->remove_subject("west", "m"));
  EXPECT_THAT(refusal(service_->handle_registry(request(renewal()))), Refuses(Code::kUnauthenticated, "not enrolled"));
}

TEST_F(Requests, GarbageAndUnknownRequestsAreRefused) {
  EXPECT_FALSE(service_->handle_registry(as_bytes("\xff\xff garbage")));
  EXPECT_FALSE(service_->handle_authority({}));
  EXPECT_FALSE(service_->handle_enrolment({}));
  EXPECT_THAT(refusal(service_->handle_registry(request(wire::RegistryRequest()))), Refuses(Code::kUnimplemented, ""));
  EXPECT_THAT(refusal(service_->handle_authority(request(wire::AuthorityRequest()))),
              Refuses(Code::kUnimplemented, ""));
}

} // namespace
} // namespace tcfdl::service_manager
