#include "service_manager/tests/world.hpp"
#include "wire/revocations.hpp"

namespace tcfdl::service_manager {
namespace {

class Revocation : public World {
protected:
  Revocation() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
    enrol(client_);
    must(registry_->register_function("west", signed_descriptor()));
    instance_.certificate = instance_keys().certificate();
  }

  wire::InstanceKeysReply instance_keys() {
    return must(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_)), "west"));
  }
  static wire::Revoke instance(const std::string& name) {
    wire::Revoke revoke;
    revoke.set_instance(name);
    return revoke;
  }
  static wire::Revoke client(const std::string& name) {
    wire::Revoke revoke;
    revoke.set_client(name);
    return revoke;
  }
  static wire::Revoke node(const std::string& name) {
    wire::Revoke revoke;
    revoke.set_node(name);
    return revoke;
  }
  /// Whom the list names, as everybody else sees it.
  std::string revoked() {
    wire::Revocations known(authority_->public_key());
    if (must(authority_->revocation_number()) > 0) must(known.accept(must(authority_->revocations())));
    std::string names;
    for (const auto* certificate : {&master_.certificate, &master_.proxy_certificate, &worker_.certificate,
                                    &worker_.proxy_certificate, &client_.certificate, &instance_.certificate}) {
      const auto parsed = must(wire::parse<wire::Certificate>(certificate->statement()));
      if (!known.check(parsed)) names += parsed.subject() + " ";
    }
    return names;
  }
  Bytes ask(const NodeKeys& master, const wire::AuthorityRequest& request) {
    return wire::serialize(make_request(master.verify, master.certificate, clock_.now(), wire::serialize(request)));
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
  HolderKeys client_{.name = "phone"};
  HolderKeys instance_{.name = "0190a3c0-instance"};
};

TEST_F(Revocation, NamesWhatWasRevokedAndNothingElse) {
  EXPECT_EQ(revoked(), "");
  must(authority_->revoke(instance(instance_.name), "west"));
  EXPECT_EQ(revoked(), instance_.name + " ");
  must(authority_->revoke(client("phone"), "west"));
  EXPECT_EQ(revoked(), "phone " + instance_.name + " ");
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(client_, master_), "west")),
              Refuses(Code::kUnauthenticated, "phone was revoked"));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(instance_, worker_), "west")),
              Refuses(Code::kUnauthenticated, "was revoked"));
}

TEST_F(Revocation, OfANodeNamesItsProxyAndItsInstances) {
  must(authority_->revoke(node("w"), "west"));
  EXPECT_EQ(revoked(), "w w/proxy " + instance_.name + " ");
  EXPECT_THAT(refusal(authority_->instance_keys(instance_request(worker_, statement(instance_, worker_)), "west")),
              Refuses(Code::kUnauthenticated, "was revoked"));
  const auto secret = token(wire::ROLE_WORKER);
  EXPECT_THAT(refusal(authority_->enrol(node_request(worker_, wire::ROLE_WORKER, secret))),
              Refuses(Code::kUnauthenticated, "with new keys"));
  NodeKeys anew{.name = "w"};
  EXPECT_TRUE(authority_->enrol(node_request(anew, wire::ROLE_WORKER, secret))) << "the name is free";
}

TEST_F(Revocation, NumbersRiseAndExpiredCertificatesLeaveTheList) {
  must(authority_->revoke(client("phone"), "west"));
  const auto first = must(authority_->revocation_number());
  EXPECT_GT(first, 0U);
  start();
  EXPECT_EQ(must(authority_->revocation_number()), first);
  EXPECT_EQ(revoked(), "phone ");
  clock_.advance(61L * 24 * 3600); // its life, and that of the longest topic
  HolderKeys late{.name = "late"};
  enrol(late);
  must(authority_->revoke(client("late"), "west"));
  EXPECT_GT(must(authority_->revocation_number()), first);
  const auto list = must(wire::parse<wire::RevocationList>(must(authority_->revocations()).statement()));
  EXPECT_EQ(list.serials_size(), 1);
  EXPECT_EQ(list.keys(0), wire::field(crypto::sha256(late.verify.public_key().bytes())));
}

TEST_F(Revocation, IsOfTheMastersOwnClusterAndOfWhoIsThere) {
  EXPECT_THAT(refusal(authority_->revoke(client("phone"), "east")), Refuses(Code::kNotFound, "certificate"));
  EXPECT_THAT(refusal(authority_->revoke(client("w"), "west")), Refuses(Code::kNotFound, "certificate"));
  EXPECT_THAT(refusal(authority_->revoke(node("phone"), "west")), Refuses(Code::kNotFound, "certificate"));
  EXPECT_THAT(refusal(authority_->revoke(wire::Revoke(), "west")), Refuses(Code::kInvalidArgument, "nothing"));
  EXPECT_EQ(revoked(), "");
}

TEST_F(Revocation, MastersAskForItAndForTheListWhichOthersGetWhenItIsNewer) {
  wire::AuthorityRequest request;
  *request.mutable_revoke() = client("phone");
  const auto asked = ask(master_, request);
  ASSERT_TRUE(service_->handle_authority(asked));
  EXPECT_FALSE(service_->handle_authority(asked)) << "a repeated request";
  EXPECT_FALSE(service_->handle_authority(ask(worker_, request))) << "a worker";
  EXPECT_EQ(revoked(), "phone ");
  wire::AuthorityRequest get;
  get.mutable_revocations();
  const auto reply = must(wire::parse<wire::AuthorityReply>(must(service_->handle_authority(ask(master_, get)))));
  wire::Revocations known(authority_->public_key());
  EXPECT_TRUE(must(known.accept(reply.revocations())));
  get.mutable_revocations()->set_known(known.number());
  EXPECT_FALSE(
      must(wire::parse<wire::AuthorityReply>(must(service_->handle_authority(ask(master_, get))))).has_revocations());
}

} // namespace
} // namespace tcfdl::service_manager
