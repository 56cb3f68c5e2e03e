#include "base/encoding.hpp"
#include "service_manager/tests/world.hpp"

namespace tcfdl::service_manager {
namespace {

using collaboration::CredentialReply;
using collaboration::CredentialRequest;
using message_queue::Nkey;
using message_queue::NkeyKind;
using testing::HasSubstr;
using testing::Not;

std::string claims_of(const std::string& jwt) {
  const auto dot = jwt.find('.');
  return std::string(as_text(must(from_base64url(jwt.substr(dot + 1, jwt.rfind('.') - dot - 1)))));
}

class Credentials : public World {
protected:
  Credentials() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(worker_, wire::ROLE_WORKER);
  }
  Result<CredentialReply> ask(const CredentialRequest& body, const NodeKeys& who) {
    const auto asked = make_request(who.verify, who.certificate, clock_.now(), wire::serialize(body));
    TCFDL_ASSIGN(const auto reply, service_->handle_credential(wire::serialize(asked)));
    return wire::parse<CredentialReply>(reply);
  }
  [[nodiscard]] CredentialRequest own() const {
    CredentialRequest body;
    body.set_user_key(user_.public_text());
    body.mutable_own()->set_signing_key(signing_.public_text());
    return body;
  }

  NodeKeys master_{.name = "m"};
  NodeKeys worker_{.name = "w"};
  Nkey user_ = Nkey::generate(NkeyKind::kUser);
  Nkey signing_ = Nkey::generate(NkeyKind::kAccount);
};

TEST_F(Credentials, AMasterGetsItsUserAndItsClustersAccount) {
  const auto reply = must(ask(own(), master_));
  const auto user = claims_of(reply.credential().jwt());
  EXPECT_THAT(user, HasSubstr(R"("allow":["tcfdl.sm.authority.west","tcfdl.sm.registry.west")"));
  EXPECT_THAT(user, HasSubstr("\"sub\":\"" + user_.public_text()));
  EXPECT_THAT(user, HasSubstr(fmt::format("\"exp\":{}", reply.credential().expires())));
  const auto account = claims_of(reply.account().account_jwt());
  EXPECT_THAT(account, HasSubstr("\"signing_keys\":[\"" + signing_.public_text() + "\"]"));
  EXPECT_THAT(account, HasSubstr("\"sub\":\"" + nats_->account_key("west").public_text()));
  EXPECT_NE(nats_->account_key("west").public_text(), nats_->account_key("east").public_text());
  EXPECT_THAT(claims_of(reply.account().system_account_jwt()), Not(HasSubstr("storage")));
}

TEST_F(Credentials, AMasterGetsAUserAtAnotherClusterThatMayAskAndStreamOnly) {
  CredentialRequest body;
  body.set_user_key(user_.public_text());
  body.mutable_link()->set_cluster("east");
  const auto reply = must(ask(body, master_));
  const auto user = claims_of(reply.credential().jwt());
  EXPECT_THAT(user, HasSubstr("\"iss\":\"" + nats_->account_key("east").public_text()));
  EXPECT_THAT(user, HasSubstr(R"("pub":{"allow":["tcfdl.link.request.west",)"));
  EXPECT_EQ(reply.credential().expires() - reply.credential().issued(), 3600);
  EXPECT_FALSE(reply.has_account());
}

TEST_F(Credentials, OnlyEnrolledMastersGetAny) {
  EXPECT_THAT(refusal(ask(own(), worker_)), Refuses(Code::kPermissionDenied, ""));
  must(authority_->remove_subject("west", "m"));
  EXPECT_THAT(refusal(ask(own(), master_)), Refuses(Code::kUnauthenticated, "enrolled"));
}

TEST_F(Credentials, KeysOfAnotherKindAreRefused) {
  auto body = own();
  body.set_user_key(signing_.public_text());
  EXPECT_THAT(refusal(ask(body, master_)), Refuses(Code::kInvalidArgument, "user"));
  body = own();
  body.mutable_own()->set_signing_key(user_.public_text());
  EXPECT_THAT(refusal(ask(body, master_)), Refuses(Code::kInvalidArgument, "account"));
}

TEST_F(Credentials, ARevokedNodeIsNamedInTheAccountAndNoLongerEnrolled) {
  const auto lost = Nkey::generate(NkeyKind::kUser);
  CredentialRequest body;
  body.set_user_key(lost.public_text());
  body.mutable_revoke()->set_node("w");
  const auto revoked = fmt::format("\"revocations\":{{\"{}\":{}}}", lost.public_text(), kNow + 300);
  EXPECT_FALSE(must(ask(body, master_)).has_account());
  EXPECT_THAT(claims_of(must(ask(own(), master_)).account().account_jwt()), HasSubstr(revoked));
  EXPECT_FALSE(authority_->check_enrolled(must(wire::parse<wire::Certificate>(worker_.certificate.statement()))));
  EXPECT_TRUE(ask(body, master_)) << "again";
  start();
  EXPECT_THAT(claims_of(must(ask(own(), master_)).account().account_jwt()), HasSubstr(revoked));
}

TEST_F(Credentials, KeysAndOperatorOutliveARestart) {
  const auto before = nats_->account_key("west").public_text();
  const auto boss = must(nats_->own_trust()).operator_jwt;
  start();
  clock_.advance(60);
  EXPECT_EQ(nats_->account_key("west").public_text(), before);
  EXPECT_EQ(must(nats_->own_trust()).operator_jwt, boss) << "a running nats-server would refuse another";
}

} // namespace
} // namespace tcfdl::service_manager
