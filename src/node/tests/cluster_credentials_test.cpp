#include "node/cluster_credentials.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "node/credential_keeper.hpp"
#include "service_manager/service.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::node {
namespace {

using collaboration::CredentialReply;
using collaboration::CredentialRequest;
using message_queue::Nkey;
using message_queue::NkeyKind;
using testing::HasSubstr;
using testing::Not;

std::string claims_of(const std::string& jwt) {
  const auto dot = jwt.find('.');
  return std::string(as_text(from_base64url(jwt.substr(dot + 1, jwt.rfind('.') - dot - 1)).value()));
}

class ManualClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return now_; }
  std::atomic<UnixSeconds> now_ = 1'800'000'000;
};

/// Whether it becomes true in time; another thread makes it so.
template <class Condition>
bool becomes_true(Condition condition, std::chrono::milliseconds within = std::chrono::seconds(10)) {
  const auto until = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Node {
  std::string name;
  crypto::SigningKey key = crypto::SigningKey::generate();
  Nkey user = Nkey::generate(NkeyKind::kUser);
  wire::Signed certificate = {};
};

class ClusterCredentialsTest : public testing::Test {
protected:
  ClusterCredentialsTest() { open(); }
  void open() {
    collaboration::ClusterAccount account;
    account.set_operator_jwt("o.o.o");
    account.set_system_account("S");
    account.set_account(account_);
    account.set_account_jwt("a.a.a");
    Nkey signing = Nkey::parse_seed(as_text(signing_.seed_text().span()), NkeyKind::kAccount).value();
    auto opened = ClusterCredentials::open({directory_.path() / "users.json", "west", "west-master"},
                                           std::move(signing), std::move(account), authority_.public_key(), clock_);
    ASSERT_TRUE(opened) << opened.error().to_string();
    credentials_ = *std::move(opened);
  }
  Node node(const std::string& name, wire::Role role = wire::ROLE_WORKER, const std::string& cluster = "west") const {
    Node made{name};
    wire::Certificate certificate;
    certificate.set_subject(name);
    certificate.set_role(role);
    certificate.set_cluster(cluster);
    certificate.set_verify_key(wire::field(made.key.public_key().bytes()));
    certificate.set_issued(clock_.now());
    certificate.set_expires(clock_.now() + 1000);
    made.certificate = wire::sign(authority_, certificate);
    return made;
  }
  Result<CredentialReply> ask(const Node& node, const Nkey& user) const {
    CredentialRequest body;
    body.set_user_key(user.public_text());
    body.mutable_own();
    const auto request = service_manager::make_request(node.key, node.certificate, clock_.now(), wire::serialize(body));
    TCFDL_ASSIGN(const auto reply, credentials_->handle(wire::serialize(request)));
    return wire::parse<CredentialReply>(reply);
  }
  Result<CredentialReply> ask(const Node& node) const { return ask(node, node.user); }

  TemporaryDirectory directory_;
  ManualClock clock_;
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const std::string account_ = Nkey::generate(NkeyKind::kAccount).public_text();
  Nkey signing_ = Nkey::generate(NkeyKind::kAccount);
  std::unique_ptr<ClusterCredentials> credentials_;
};

TEST_F(ClusterCredentialsTest, IssuesAWorkerItsOwnSubjectsUntilItsCertificateEnds) {
  const auto worker = node("w1");
  const auto reply = ask(worker).value();
  const auto claims = claims_of(reply.credential().jwt());
  EXPECT_THAT(claims, HasSubstr("tcfdl.master.report.w1.*"));
  EXPECT_THAT(claims, HasSubstr("\"issuer_account\":\"" + account_));
  EXPECT_THAT(claims, HasSubstr("\"iss\":\"" + signing_.public_text()));
  EXPECT_EQ(reply.credential().expires(), clock_.now() + 1000);
}

TEST_F(ClusterCredentialsTest, IssuesNothingToOthers) {
  EXPECT_EQ(ask(node("w1", wire::ROLE_WORKER, "east")).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(ask(node("west-master")).error().code(), Code::kPermissionDenied);
  EXPECT_FALSE(ask(node("c", wire::ROLE_CLIENT)));
  EXPECT_FALSE(ask(node("m", wire::ROLE_MASTER)));
  auto forged = node("w1");
  forged.key = crypto::SigningKey::generate();
  EXPECT_EQ(ask(forged).error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(credentials_->handle(as_bytes("bytes")));
}

TEST_F(ClusterCredentialsTest, KnowsOneUserANode) {
  const auto worker = node("w1");
  ASSERT_TRUE(ask(worker));
  EXPECT_EQ(ask(worker, Nkey::generate(NkeyKind::kUser)).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(ask(worker));
}

TEST_F(ClusterCredentialsTest, IssuesNothingMoreToARefusedNodeUntilItHasAnotherKey) {
  const auto worker = node("w1");
  EXPECT_FALSE(credentials_->admits("w1"));
  ASSERT_TRUE(ask(worker));
  EXPECT_TRUE(credentials_->admits("w1"));
  for (int i = 0; i < 2; ++i) { // a revocation that did not reach the service manager is repeated
    EXPECT_EQ(credentials_->refuse("w1").value(), worker.user.public_text());
    EXPECT_EQ(ask(worker).error().code(), Code::kPermissionDenied);
    open(); // and after a restart
    EXPECT_FALSE(credentials_->admits("w1"));
  }
  ASSERT_TRUE(credentials_->forget("w1"));
  EXPECT_EQ(credentials_->refuse("w1").error().code(), Code::kNotFound);
  open();
  EXPECT_EQ(ask(worker).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(ask(node("w1")));
}

TEST_F(ClusterCredentialsTest, GivesTokensAUserThatMayEnrolAndNothingElse) {
  const auto user = credentials_->enrolling_user(clock_.now() + 10).value();
  const auto claims = claims_of(user.jwt);
  EXPECT_THAT(claims, HasSubstr(R"("pub":{"allow":["tcfdl.master.enrol","tcfdl.master.credential"])"));
  EXPECT_THAT(claims, HasSubstr(fmt::format("\"exp\":{}", clock_.now() + 10)));
  EXPECT_THAT(claims, Not(HasSubstr("resp")));
  EXPECT_TRUE(Nkey::parse_seed(user.seed, NkeyKind::kUser));
}

TEST_F(ClusterCredentialsTest, RefusesADamagedFile) {
  ASSERT_TRUE(write_file(directory_.path() / "users.json", as_bytes("{")));
  const auto opened = ClusterCredentials::open({directory_.path() / "users.json", "west", "m"},
                                               Nkey::generate(NkeyKind::kAccount), {}, authority_.public_key(), clock_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kDataLoss);
}

TEST_F(ClusterCredentialsTest, AreKeptByTheNodeUntilTheyExpire) {
  const auto worker = node("w1");
  int asked = 0;
  const AskCredential ask_here = [&](const CredentialRequest& request, Deadline) -> Result<CredentialReply> {
    ++asked;
    EXPECT_EQ(request.user_key(), worker.user.public_text());
    return ask(worker);
  };
  const auto keep = [&]() {
    auto user = Nkey::parse_seed(as_text(worker.user.seed_text().span()), NkeyKind::kUser).value();
    return CredentialKeeper::open({directory_.path() / "credential"}, std::move(user), ask_here, clock_);
  };
  const auto first = keep().value()->credential()->jwt();
  EXPECT_EQ(keep().value()->credential()->jwt(), first);
  EXPECT_EQ(asked, 1);
  clock_.now_ += 1000;
  EXPECT_FALSE(keep()) << "its certificate has expired as well";
  EXPECT_EQ(asked, 2);
}

TEST_F(ClusterCredentialsTest, AreRenewedAtHalfLifeAndTriedAgainAfterAFailure) {
  const auto worker = node("w1");
  std::atomic<int> asked = 0;
  std::atomic<bool> away = false;
  const AskCredential ask_here = [&](const CredentialRequest&, Deadline) -> Result<CredentialReply> {
    ++asked;
    if (away) return Error(Code::kUnavailable, "the master is away");
    return ask(worker);
  };
  auto user = Nkey::parse_seed(as_text(worker.user.seed_text().span()), NkeyKind::kUser).value();
  CredentialKeeperSettings settings{directory_.path() / "credential"};
  settings.look_every = settings.try_again_after = std::chrono::milliseconds(1);
  const auto keeper = CredentialKeeper::open(settings, std::move(user), ask_here, clock_).value();
  const auto first = keeper->credential()->jwt();
  std::atomic<int> renewed = 0;
  keeper->start(ask_here, [&](const CredentialReply&) -> Status {
    ++renewed;
    return {};
  });
  clock_.now_ += 499;
  EXPECT_FALSE(becomes_true([&] { return asked > 1; }, std::chrono::milliseconds(50))) << "it is valid for 1000 s";
  away = true;
  clock_.now_ += 1;
  EXPECT_TRUE(becomes_true([&] { return asked > 3; }));
  EXPECT_EQ(renewed, 0);
  EXPECT_EQ(keeper->credential()->jwt(), first);
  away = false;
  EXPECT_TRUE(becomes_true([&] { return renewed == 1; }));
  EXPECT_NE(keeper->credential()->jwt(), first);
  EXPECT_EQ(keeper->reply().credential().issued(), clock_.now());
  const auto settled = asked.load();
  EXPECT_FALSE(becomes_true([&] { return asked > settled; }, std::chrono::milliseconds(50)));
  keeper->stop();
}

} // namespace
} // namespace tcfdl::node
