// Who may connect to a real nats-server in operator mode, for how long, and what accounts keep apart.
#include "base/guarded.hpp"
#include "message_queue_fixture.hpp"

#include <atomic>
#include <fstream>

namespace tcfdl::message_queue {
namespace {

class OperatorMode : public MessageQueueTest {
protected:
  Result<std::unique_ptr<NatsBus>> connect_as(std::shared_ptr<const UserCredential> credential) {
    return NatsBus::connect(settings_for(server_->settings().port, "user", std::move(credential)));
  }
  void expect_refused(std::shared_ptr<const UserCredential> credential) {
    const auto bus = connect_as(std::move(credential));
    ASSERT_FALSE(bus);
    EXPECT_EQ(bus.error().code(), Code::kUnauthenticated);
  }
  ReservedPort second_port_ = ReservedPort::pick().value();

  std::shared_ptr<UserCredential> user_signed_by(const Nkey& signer, const std::string& account) {
    auto key = Nkey::generate(NkeyKind::kUser);
    const UserClaims claims{
        .name = "user", .user = key.public_text(), .account = account, .permissions = every_permission()};
    return std::make_shared<UserCredential>(std::move(key), sign_user(signer, claims, now()).value());
  }
  [[nodiscard]] UnixSeconds now() const { return clock_.now(); }

  SystemClock clock_;
};

TEST_F(OperatorMode, AdmitsNobodyWithoutAJwt) { expect_refused(nullptr); }

TEST_F(OperatorMode, AdmitsAUserWhateverTheNonce) {
  // One signature in 256 begins with a zero octet, which the library cannot send.
  const auto credential = trust_.user("alice", every_permission()).value();
  for (int i = 0; i < 1500; ++i) {
    const auto bus = connect_as(credential);
    ASSERT_TRUE(bus) << i << ": " << bus.error().to_string();
  }
}

TEST_F(OperatorMode, RefusesAnotherOnesJwt) {
  const auto stolen = trust_.user("alice", every_permission()).value()->jwt();
  expect_refused(std::make_shared<UserCredential>(Nkey::generate(NkeyKind::kUser), stolen));
}

TEST_F(OperatorMode, RefusesAnExpiredJwt) {
  expect_refused(trust_.user("late", every_permission(), now() - 1).value());
}

TEST_F(OperatorMode, RefusesAUserWhomNoKeyOfTheAccountSigned) {
  expect_refused(user_signed_by(Nkey::generate(NkeyKind::kAccount), trust_.account()));
}

TEST_F(OperatorMode, RefusesAnAccountThatTheOperatorDidNotSign) {
  const auto account = Nkey::generate(NkeyKind::kAccount);
  expect_refused(user_signed_by(account, account.public_text()));
}

TEST_F(OperatorMode, RefusesAJwtThatWasChanged) {
  auto credential = trust_.user("alice", every_permission()).value();
  auto jwt = credential->jwt();
  const auto at = jwt.find('.') + 20;
  jwt[at] = jwt[at] == 'A' ? 'B' : 'A';
  credential->replace(jwt);
  expect_refused(credential);
}

TEST_F(OperatorMode, EndsAConnectionAtItsExpiryAndTakesTheRenewedJwtWithAllSubscriptions) {
  const auto credential = trust_.user("short", every_permission(), now() + 2).value();
  const auto bus = connect_as(credential).value();
  std::atomic<int> losses = 0;
  bus->on_state([&](BusState state) { losses += state == BusState::kDisconnected ? 1 : 0; });
  const auto service = bus->serve("renewed", [](BytesView) -> Result<Bytes> { return to_bytes("here"); });
  // Twice, since the library gives up when it meets the same refusal twice in a row.
  for (int round = 1; round <= 2; ++round) {
    credential->replace(
        trust_.sign(credential->public_text(), "short", every_permission(), now() + (round == 1 ? 4 : 60)).value());
    ASSERT_TRUE(eventually([&] { return losses == round && bus->connected(); }));
    EXPECT_TRUE(eventually([&] { return alice_->request("renewed", {}, soon()).has_value(); }));
  }
  bus->on_state(nullptr);
}

TEST_F(OperatorMode, ClosesAConnectionWhoseJwtExpiredForGood) {
  const auto bus = connect_as(trust_.user("short", every_permission(), now() + 2).value()).value();
  std::atomic<bool> closed = false;
  bus->on_state([&](BusState state) {
    if (state == BusState::kClosed) closed = true;
  });
  EXPECT_TRUE(eventually([&] { return closed.load(); }));
  bus->on_state(nullptr);
}

TEST_F(OperatorMode, DisconnectsARevokedUserWithinTwoSecondsAndNobodyElse) {
  const auto credential = trust_.user("traitor", every_permission()).value();
  const auto bus = connect_as(credential).value();
  std::atomic<int> losses = 0;
  alice_->on_state([&](BusState) { ++losses; });
  const auto service = alice_->serve("here", [](BytesView) -> Result<Bytes> { return Bytes(); });
  trust_.revoke(credential->public_text());
  const auto began = Deadline::Clock::now();
  ASSERT_TRUE(server_->set_trust(trust_.trust().value()));
  ASSERT_TRUE(eventually([&] { return !bus->connected(); }));
  const auto took = Deadline::Clock::now() - began;
  EXPECT_LT(took, seconds(2));
  RecordProperty("revoked_after_ms", static_cast<int>(std::chrono::duration_cast<milliseconds>(took).count()));
  expect_refused(credential);
  EXPECT_TRUE(bob_->request("here", {}, soon()));
  EXPECT_EQ(losses, 0);
  // It stays revoked when the server starts again, and a new key of the same name is another user.
  kill_server();
  expect_refused(credential);
  EXPECT_TRUE(connect_as(trust_.user("traitor", every_permission()).value()));
  alice_->on_state(nullptr);
}

TEST_F(OperatorMode, AcceptsUsersOfADelegatedKeyUntilItIsWithdrawn) {
  const auto boss = Nkey::generate(NkeyKind::kOperator);
  const auto system = Nkey::generate(NkeyKind::kAccount);
  const auto account = Nkey::generate(NkeyKind::kAccount);
  const auto delegated = Nkey::generate(NkeyKind::kAccount);
  const auto trust = [&](const std::vector<std::string>& keys) {
    ServerTrust made;
    made.operator_jwt = sign_operator(boss, {"o", system.public_text()}).value();
    for (const auto& claims : {AccountClaims{.name = "system", .account = system.public_text()},
                               AccountClaims{.name = "a", .account = account.public_text(), .signing_keys = keys}}) {
      made.accounts[claims.account] = sign_account(boss, claims, now()).value();
    }
    return made;
  };
  auto settings = server_->settings();
  settings.state_directory = directory_.path() / "second";
  settings.port = second_port_.number();
  settings.trust = trust({delegated.public_text()});
  EmbeddedServer second(settings);
  ASSERT_TRUE(second.start());
  const auto credential = user_signed_by(delegated, account.public_text());
  const auto connect = [&] { return NatsBus::connect(settings_for(settings.port, "user", credential)); };
  const auto bus = connect();
  ASSERT_TRUE(bus) << bus.error().to_string();
  ASSERT_TRUE(second.set_trust(trust({})));
  EXPECT_TRUE(eventually([&] { return !(*bus)->connected(); }));
  EXPECT_EQ(connect().error().code(), Code::kUnauthenticated);
}

TEST_F(OperatorMode, KeepsAccountsApart) {
  // A second account on the same server: the trust of this one, with an account that the same operator signed, would
  // need its keys; so both are made here.
  const auto boss = Nkey::generate(NkeyKind::kOperator);
  const std::array accounts{Nkey::generate(NkeyKind::kAccount), Nkey::generate(NkeyKind::kAccount),
                            Nkey::generate(NkeyKind::kAccount)};
  auto settings = server_->settings();
  settings.state_directory = directory_.path() / "second";
  settings.port = second_port_.number();
  settings.trust.accounts.clear();
  settings.trust.operator_jwt = sign_operator(boss, {"o", accounts[0].public_text()}).value();
  for (const auto& account : accounts) {
    settings.trust.accounts[account.public_text()] =
        sign_account(boss, {.name = "a", .account = account.public_text()}, now()).value();
  }
  EmbeddedServer second(settings);
  ASSERT_TRUE(second.start());
  const auto connect = [&](const Nkey& account) {
    return NatsBus::connect(settings_for(settings.port, "user", user_signed_by(account, account.public_text())))
        .value();
  };
  const auto ours = connect(accounts[1]);
  const auto theirs = connect(accounts[2]);
  std::atomic<int> heard = 0;
  const auto spy = theirs->subscribe(">", [&](const Message&) { ++heard; });
  const auto service = ours->serve("secret", [](BytesView) -> Result<Bytes> { return Bytes(); });
  const auto friendly = connect(accounts[1]);
  EXPECT_TRUE(friendly->request("secret", {}, soon()));
  EXPECT_EQ(theirs->request("secret", {}, Deadline::after(milliseconds(200))).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(heard, 1) << "its own request, which everybody of its account hears";
}

TEST_F(OperatorMode, RefusesTrustThatDoesNotFitAndKeepsTheOld) {
  auto settings = server_->settings();
  EXPECT_EQ(server_->set_trust({}).error().code(), Code::kFailedPrecondition) << "it would go on as before";
  EXPECT_FALSE(server_->set_trust({.operator_jwt = settings.trust.operator_jwt, .accounts = {{"A\n}", "a.b.c"}}}));
  EXPECT_TRUE(alice_->connected());
}

} // namespace
} // namespace tcfdl::message_queue
