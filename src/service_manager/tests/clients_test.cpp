#include "service_manager/authority/grants.hpp"
#include "service_manager/tests/world.hpp"
#include "wire/revocations.hpp"

namespace tcfdl::service_manager {
namespace {

using testing::ElementsAre;

class Clients : public World {
protected:
  Clients() {
    enrol(master_, wire::ROLE_MASTER);
    enrol(phone_, {"echo"});
    must(registry_->register_function("west", signed_descriptor()));
  }

  static wire::ChangeGrants change(const std::string& client, std::vector<std::string> add,
                                   std::vector<std::string> remove = {}) {
    wire::ChangeGrants result;
    result.set_client(client);
    *result.mutable_add() = {add.begin(), add.end()};
    *result.mutable_remove() = {remove.begin(), remove.end()};
    return result;
  }
  std::vector<std::string> grants_in(const wire::Signed& certificate) {
    const auto parsed =
        must(wire::verify_certificate(authority_->public_key(), certificate, {wire::ROLE_CLIENT}, clock_.now()));
    return {parsed.grants().begin(), parsed.grants().end()};
  }
  bool is_listed(const wire::Signed& certificate) {
    wire::Revocations known(authority_->public_key());
    if (must(authority_->revocation_number()) > 0) must(known.accept(must(authority_->revocations())));
    return !known.check(must(wire::parse<wire::Certificate>(certificate.statement())));
  }

  NodeKeys master_{.name = "m"};
  HolderKeys phone_{.name = "phone"};
};

TEST_F(Clients, GetWhatTheyAreGrantedAndTheCertificateOfBeforeIsOver) {
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(phone_, master_), "west")),
              Refuses(Code::kPermissionDenied, "no grant to call plates/read"));
  const auto changed = must(authority_->change_grants(change("phone", {"plates/*"}), "west"));
  EXPECT_THAT(changed.grants(), ElementsAre("echo", "plates/*"));
  EXPECT_TRUE(is_listed(phone_.certificate));
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(phone_, master_), "west")),
              Refuses(Code::kUnauthenticated, "phone was revoked"));
  phone_.certificate = must(authority_->renew_certificate("phone", "west"));
  EXPECT_THAT(grants_in(phone_.certificate), ElementsAre("echo", "plates/*"));
  EXPECT_FALSE(is_listed(phone_.certificate));
  EXPECT_TRUE(authority_->sender_keys(sender_request(phone_, master_), "west"));
}

TEST_F(Clients, LoseWhatIsTakenBack) {
  must(authority_->change_grants(change("phone", {"plates/read"}, {"echo"}), "west"));
  EXPECT_THAT(grants_in(must(authority_->renew_certificate("phone", "west"))), ElementsAre("plates/read"));
  must(authority_->change_grants(change("phone", {}, {"plates/read"}), "west"));
  phone_.certificate = must(authority_->renew_certificate("phone", "west"));
  EXPECT_THAT(grants_in(phone_.certificate), ElementsAre());
  EXPECT_THAT(refusal(authority_->sender_keys(sender_request(phone_, master_), "west")),
              Refuses(Code::kPermissionDenied, "no grant"));
}

TEST_F(Clients, KeepTheirCertificateWhenNothingChanges) {
  must(authority_->change_grants(change("phone", {"echo"}), "west"));
  EXPECT_FALSE(is_listed(phone_.certificate));
  EXPECT_EQ(must(authority_->revocation_number()), 0U);
}

TEST_F(Clients, AreThoseOfTheAskingCluster) {
  EXPECT_THAT(refusal(authority_->change_grants(change("phone", {"x"}), "east")), Refuses(Code::kNotFound, "phone"));
  EXPECT_THAT(refusal(authority_->change_grants(change("m", {"x"}), "west")), Refuses(Code::kNotFound, "no client"));
  EXPECT_THAT(refusal(authority_->renew_certificate("phone", "east")), Refuses(Code::kNotFound, "phone"));
  EXPECT_THAT(refusal(authority_->renew_certificate("m", "west")), Refuses(Code::kNotFound, "no client"));
  HolderKeys tablet{.name = "tablet"};
  enrol(tablet);
  const auto clients = must(authority_->clients("west"));
  ASSERT_EQ(clients.clients_size(), 2);
  EXPECT_EQ(clients.clients(0).name(), "phone");
  EXPECT_THAT(clients.clients(0).grants(), ElementsAre("echo"));
  EXPECT_EQ(clients.clients(0).enrolled(), kNow);
  EXPECT_THAT(clients.clients(1).grants(), ElementsAre("*"));
  EXPECT_EQ(must(authority_->clients("east")).clients_size(), 0);
}

TEST_F(Clients, ThatAreRevokedGetNoCertificate) {
  wire::Revoke revoke;
  revoke.set_client("phone");
  must(authority_->revoke(revoke, "west"));
  EXPECT_THAT(refusal(authority_->renew_certificate("phone", "west")), Refuses(Code::kNotFound, "no client"));
}

TEST_F(Clients, KeepTheirGrantsOverARestart) {
  must(authority_->change_grants(change("phone", {"plates/read"}), "west"));
  start();
  EXPECT_THAT(grants_in(must(authority_->renew_certificate("phone", "west"))), ElementsAre("echo", "plates/read"));
}

TEST_F(Clients, AreChangedByTheirMasterOnceForEachRequest) {
  wire::AuthorityRequest request;
  *request.mutable_change_grants() = change("phone", {"plates/read"});
  const auto asked =
      wire::serialize(make_request(master_.verify, master_.certificate, clock_.now(), wire::serialize(request)));
  const auto reply = must(wire::parse<wire::AuthorityReply>(must(service_->handle_authority(asked))));
  ASSERT_EQ(reply.clients().clients_size(), 1);
  EXPECT_THAT(reply.clients().clients(0).grants(), ElementsAre("echo", "plates/read"));
  EXPECT_FALSE(service_->handle_authority(asked)) << "a repeated request would undo what came after it";
}

TEST(Grants, AreNamesOrPrefixesAndNotTooMany) {
  const std::vector<std::string> held{"echo", "plates/*"};
  const auto refuses = [&](const std::vector<std::string>& add, const std::vector<std::string>& remove, Code code,
                           const std::string& words) {
    EXPECT_THAT(refusal(authority::changed_grants(held, add, remove)), Refuses(code, words));
  };
  refuses({"a b"}, {}, Code::kInvalidArgument, "grants");
  refuses({""}, {}, Code::kInvalidArgument, "empty");
  refuses({"*/x"}, {}, Code::kInvalidArgument, "grants");
  refuses({}, {"plates/read"}, Code::kNotFound, "it has: echo plates/*");
  std::vector<std::string> many;
  for (int i = 0; i < 255; ++i) many.push_back(fmt::format("f{}", i));
  refuses(many, {}, Code::kInvalidArgument, "256");
  EXPECT_THAT(must(authority::changed_grants(held, {"*", "echo"}, {"echo"})), ElementsAre("*", "echo", "plates/*"));
}

} // namespace
} // namespace tcfdl::service_manager
