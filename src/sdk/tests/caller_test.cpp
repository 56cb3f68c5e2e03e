#include "sdk/tests/caller_world.hpp"
#include "wire/receipt.hpp"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

TEST_F(Calls, GoToTheOwnersFunction) {
  const auto result = call({grant(5)});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(as_text(result->body), "hello");
  EXPECT_EQ(leases_.released, 0);
}

TEST_F(Calls, TakeTheNextRouteWhereOneDoesNotLeadToTheInstance) {
  const auto other =
      wire::Listener::start(wire::TcpAddress{"127.0.0.1", 0}, {.name = "other"}, [](wire::Connection& connection) {
        wire::Hello hello;
        hello.set_name("echo-2");
        (void)wire::send_message(connection, hello, Deadline::after(seconds(10)));
      }).value();
  auto offered = grant(5);
  wire::LeaseGrant roundabout = offered;
  roundabout.clear_routes();
  for (const auto& address : {wire::to_string(other->address()), std::string("tcp:127.0.0.1:1"),
                              std::string("unix:/nowhere"), offered.routes(0).address()}) {
    auto& route = *roundabout.add_routes();
    route.set_kind(wire::ROUTE_KIND_TCP);
    route.set_address(address);
  }
  const auto result = call({roundabout});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->report.attempts, 1U);
  EXPECT_EQ(result->report.route, "local");
}

/// A body of that many bytes, which may begin again.
class Source final : public BodyReader {
public:
  Source(std::size_t size, bool rewinds) : size_(size), rewinds_(rewinds) {}
  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    const auto taken = std::min(out.size(), size_ - given_);
    std::fill_n(out.begin(), taken, 'x');
    given_ += taken;
    return taken;
  }
  bool rewind() override {
    given_ = 0;
    return rewinds_;
  }

private:
  std::size_t size_;
  bool rewinds_;
  std::size_t given_ = 0;
};

class Target final : public BodyWriter {
public:
  Status write(BytesView piece) override {
    size += piece.size();
    return {};
  }
  std::size_t size = 0;
};

TEST_F(Calls, AreMadeAgainUnseenWhereTheirConnectionIsCutInTheMiddleOfABody) {
  // It speaks for the instance until it has had some of the body.
  const auto cutting =
      wire::Listener::start(wire::TcpAddress{"127.0.0.1", 0}, {.name = "cutting"}, [](wire::Connection& connection) {
        wire::Hello hello;
        hello.set_name("echo-1");
        const auto deadline = Deadline::after(seconds(10));
        (void)wire::send_message(connection, hello, deadline);
        for (int i = 0; i < 3; ++i) (void)connection.receive_in_place(deadline);
      }).value();
  auto cut = grant(5);
  cut.mutable_routes(0)->set_address(wire::to_string(cutting->address()));
  for (const bool rewinds : {false, true}) {
    leases_.grants = {cut, grant(5)};
    Source source(600'000, rewinds);
    Target target;
    CallOptions options;
    options.timeout = seconds(20);
    const auto report = caller_.call("echo", source, target, options);
    EXPECT_EQ(bool(report), rewinds) << "what cannot begin again is not sent in part";
    if (!report) {
      EXPECT_EQ(report.error().code(), Code::kUnavailable);
      continue;
    }
    EXPECT_EQ(report->attempts, 2U);
    EXPECT_EQ(target.size, 600'000U);
    EXPECT_EQ(ran_.load(), 1);
  }
}

TEST_F(Calls, WithoutProtectionDoNotGoOverAnOpenNetwork) {
  auto offered = grant(5);
  offered.mutable_routes(0)->set_kind(wire::ROUTE_KIND_TCP);
  offered.mutable_routes(0)->set_address("tcp:192.0.2.1:4000");
  auto admitting = descriptor(5);
  admitting.add_protections("none");
  *offered.mutable_descriptor() = wire::sign(owner_, admitting);
  EXPECT_THAT(refusal(offered, Protection::kNone).message(), HasSubstr("echo-1 has no route"));
}

TEST_F(Calls, DoNotGoOverAnOpenNetworkWhereTheOwnerWantsTls) {
  auto offered = grant(5);
  offered.mutable_routes(0)->set_kind(wire::ROUTE_KIND_TCP);
  offered.mutable_routes(0)->set_address("tcp:192.0.2.1:4000");
  auto wanting = descriptor(5);
  wanting.set_direct_tls(true);
  *offered.mutable_descriptor() = wire::sign(owner_, wanting);
  EXPECT_THAT(refusal(offered, Protection::kEae).message(), HasSubstr("echo-1 has no route"));
}

/// Greets, takes a request and goes without a word.
void die_after_request(wire::Connection& connection) {
  wire::Hello hello;
  hello.set_name("echo-0");
  hello.set_nonce(std::string(32, 'n'));
  EXPECT_TRUE(wire::send_message(connection, hello, Deadline::after(seconds(10))));
  EXPECT_TRUE(wire::receive_message<wire::TaskRequest>(connection, Deadline::after(seconds(10))));
  Bytes body;
  EXPECT_TRUE(connection.receive(body, Deadline::after(seconds(10))));
}

TEST_F(Calls, EndByTheirOwnDeadlineWhileAnotherOneWaitsForTheSameKeys) {
  std::promise<void> keys;
  entry_.hold = keys.get_future().share();
  leases_.grants = {grant(5)};
  Client& client = caller_;
  auto patient = client.call_async("echo", to_bytes("hello"));
  while (entry_.asked == 0) std::this_thread::yield();
  CallOptions options;
  options.timeout = std::chrono::milliseconds(50);
  const auto hasty = client.call("echo", as_bytes("hello"), options);
  ASSERT_FALSE(hasty);
  EXPECT_EQ(hasty.error().code(), Code::kDeadlineExceeded);
  keys.set_value();
  EXPECT_TRUE(patient.get());
}

TEST_F(Calls, GoElsewhereWhenALocalInstanceDiesBeforeItAccepts) {
  const auto dying =
      wire::Listener::start(wire::UnixAddress{(directory_.path() / "dying.sock").string()}, {.name = "dying"},
                            [](wire::Connection& connection) { die_after_request(connection); })
          .value();
  auto first = grant(5);
  first.set_instance("echo-0");
  first.mutable_routes(0)->set_address(wire::to_string(dying->address()));
  const auto result = call({first, grant(5)});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(leases_.released, 1);
  EXPECT_EQ(leases_.excluded, std::vector<std::string>{"echo-0"});
}

TEST_F(Calls, AskAgainAndGiveNothingBackWhenAWayBreaksOnWhichTheInstanceMayHaveBegun) {
  wire::Pipe way;
  std::jthread instance([&] {
    die_after_request(*way.right);
    way.right->shutdown();
  });
  leases_.relay = std::move(way.left);
  auto first = grant(5);
  first.set_instance("echo-0");
  first.mutable_routes(0)->set_kind(wire::ROUTE_KIND_RELAY);
  const auto result = call({first, grant(5)});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(leases_.released, 0) << "that would tell that it did not begin";
  EXPECT_EQ(leases_.excluded, std::vector<std::string>{}) << "it may be there still, with the outcome";
  EXPECT_EQ(leases_.asked, 2);
}

TEST_F(Calls, ShareABurstLeaseWhereTheyFollowEachOther) {
  leases_.burst_ms = 60'000;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(call({grant(5)}));
  EXPECT_EQ(leases_.asked, 3) << "one for the first, a burst of three, another for the last";
  EXPECT_EQ(ran_.load(), 5);
  const auto events = events_.all();
  const auto burst = std::ranges::find(events, 3, [](const auto& event) { return event.runs_size(); });
  ASSERT_NE(burst, events.end());
  EXPECT_TRUE(burst->done());
  EXPECT_EQ(std::ranges::count_if(events, [&](const auto& event) { return event.lease_id() == burst->lease_id(); }), 2)
      << "its start and its end";
}

TEST_F(Calls, GoOnUnderAnotherLeaseWhenTheirBurstIsOver) {
  leases_.burst_ms = 60'000;
  ASSERT_TRUE(call({grant(5)}));
  ASSERT_TRUE(call({grant(5)}));
  server_->recall_burst("lease-2");
  const auto result = call({grant(5)});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->report.attempts, 1U);
  EXPECT_EQ(leases_.asked, 3);
}

TEST_F(Calls, WithAnIdOfTheirOwnHaveALeaseOfTheirOwn) {
  leases_.burst_ms = 60'000;
  ASSERT_TRUE(call({grant(5)}));
  ASSERT_TRUE(call({grant(5)}));
  CallOptions options;
  options.task_id = make_uuid();
  Client& client = caller_;
  ASSERT_TRUE(client.call("echo", as_bytes("hello"), options));
  EXPECT_EQ(leases_.asked, 3) << "what is repeated must be remembered";
}

TEST_F(Calls, OfAnotherKindDoNotUseABurst) {
  leases_.burst_ms = 60'000;
  ASSERT_TRUE(call({grant(5)}));
  ASSERT_TRUE(call({grant(5)}));
  CallOptions options;
  options.priority = Priority::kLow;
  Client& client = caller_;
  ASSERT_TRUE(client.call("echo", as_bytes("hello"), options));
  EXPECT_EQ(leases_.asked, 3);
}

TEST_F(Calls, ComeAgainWhenAFullQueueSaysThatIsWorthIt) {
  leases_.busy = 2;
  leases_.full.set_retry_after(std::chrono::milliseconds(20));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(call({grant(5)}));
  EXPECT_EQ(leases_.asked, 3);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(40));
}

TEST_F(Calls, FailAtOnceWhereAFullQueueTakesTooLongOrSaysNothing) {
  for (const auto wait : {std::chrono::milliseconds(0), std::chrono::milliseconds(20'000)}) { // the call has 20 s
    leases_.busy = 1;
    leases_.asked = 0;
    leases_.full.set_retry_after(wait);
    const auto refused = call({grant(5)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
    EXPECT_EQ(refused.error().retry_after(), wait);
    EXPECT_EQ(leases_.asked, 1);
  }
}

TEST_F(Calls, FailAtOnceWhereTheCallerWantsThat) {
  leases_.busy = 1;
  leases_.full.set_retry_after(std::chrono::milliseconds(20));
  leases_.grants = {grant(5)};
  CallOptions options;
  options.retry_busy = false;
  Client& client = caller_;
  EXPECT_FALSE(client.call("echo", as_bytes("hello"), options));
  EXPECT_EQ(leases_.asked, 1);
}

TEST_F(Calls, TellTheirPriority) {
  leases_.grants = {grant(5)};
  CallOptions options;
  options.priority = Priority::kHigh;
  Client& client = caller_;
  ASSERT_TRUE(client.call("echo", as_bytes("hello"), options));
  EXPECT_EQ(leases_.priority, wire::PRIORITY_HIGH);
}

TEST_F(Calls, ShareACapsuleUnlessTheOwnerWantsInstancesIsolated) {
  ASSERT_TRUE(call({grant(5)}));
  ASSERT_TRUE(call({grant(5)}));
  EXPECT_EQ(entry_.turned_for, std::vector<std::string>{""});
  auto isolated = descriptor(6);
  isolated.set_isolate_instance(true);
  ASSERT_TRUE(call({grant(isolated)}));
  ASSERT_TRUE(call({grant(isolated)}));
  EXPECT_EQ(entry_.turned_for, (std::vector<std::string>{"", "echo-1", "echo-1"}));
  EXPECT_EQ(entry_.asked, 1) << "the key to make them with is the same";
}

TEST_F(Calls, MakeACapsuleAnewBeforeItsProxysCertificateEnds) {
  auto ending = wire::parse<wire::Certificate>(proxy_certificate_.statement()).value();
  ending.set_issued(now_seconds() - 300);
  ending.set_expires(now_seconds() + 90);
  proxy_certificate_ = wire::sign(authority_, ending);
  ASSERT_TRUE(call({grant(5)}));
  ASSERT_TRUE(call({grant(5)}));
  EXPECT_EQ(entry_.turned_for.size(), 2U);
}

TEST_F(Calls, DoNotGoToWhoTookTheName) {
  const auto thief = crypto::SigningKey::generate();
  auto stolen = descriptor(9);
  stolen.set_owner_key(wire::field(thief.public_key().bytes()));
  const auto refused = refusal(grant(wire::sign(thief, stolen)));
  EXPECT_EQ(refused.code(), Code::kPermissionDenied) << refused.to_string();
  EXPECT_THAT(refused.message(), HasSubstr(wire::fingerprint(owner_.public_key().bytes())));
  EXPECT_EQ(refusal(grant(wire::sign(thief, descriptor(9)))).code(), Code::kUnauthenticated);
  EXPECT_TRUE(call({grant(5)})) << "what the thief said is not remembered";
}

TEST_F(Calls, NeverGoBackToAnOlderVersion) {
  entry_.version = 5;
  ASSERT_TRUE(call({grant(5)}));
  const auto older = refusal(grant(4));
  EXPECT_EQ(older.code(), Code::kFailedPrecondition) << older.to_string();
  EXPECT_THAT(older.message(), HasSubstr("version 4 of echo is older than version 5"));
  EXPECT_THAT(older.message(), HasSubstr("west"));
  EXPECT_EQ(refusal(grant(4), Protection::kNone).code(), Code::kFailedPrecondition);
  EXPECT_TRUE(call({grant(6)}));
}

TEST_F(Calls, DoNotGoToAVersionBelowTheRegisteredOne) {
  entry_.version = 7;
  const auto older = refusal(grant(6));
  EXPECT_EQ(older.code(), Code::kFailedPrecondition) << older.to_string();
  EXPECT_THAT(older.message(), HasSubstr("version 7"));
  EXPECT_TRUE(call({grant(7)}));
}

TEST_F(Calls, AskAnewWhileANewVersionIsDeployed) {
  entry_.version = 7;
  const auto result = call({grant(6), grant(6), grant(7)});
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->report.attempts, 3U);
}

TEST_F(Calls, TakeNothingElseThanWhatTheyAskedFor) {
  auto other = descriptor(5);
  other.set_name("other");
  EXPECT_EQ(refusal(grant(other)).code(), Code::kPermissionDenied);
  auto elsewhere = descriptor(5);
  elsewhere.clear_providers();
  elsewhere.add_providers("east");
  EXPECT_THAT(refusal(grant(elsewhere)).message(), HasSubstr("its owner does not admit that cluster"));
  auto weaker = grant(5);
  weaker.set_assurance("nothing");
  EXPECT_THAT(refusal(weaker).message(), HasSubstr("the class 'nothing'"));
}

TEST_F(Calls, GoToNoLowerClassThanTheyAskFor) {
  leases_.grants = {grant(5)};
  CallOptions options;
  options.assurance = "hardware";
  const auto refused = static_cast<Client&>(caller_).call("echo", as_bytes("x"), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("it is of class 'software'; the caller wants 'hardware'"));
  options.assurance = "software";
  leases_.grants = {grant(5)};
  EXPECT_TRUE(static_cast<Client&>(caller_).call("echo", as_bytes("x"), options));
}

TEST_F(Calls, BringAReceiptThatVerifiesWhenTheyAskForOne) {
  leases_.grants = {grant(5)};
  CallOptions options;
  options.receipt = true;
  Client& client = caller_;
  const auto result = client.call("echo", as_bytes("hello"), options);
  ASSERT_TRUE(result) << result.error().to_string();
  const auto verdict = wire::verify_receipt(
      result->report.receipt,
      {.authority = anna_.authority, .now = now_seconds(), .input = as_bytes("hello"), .output = as_bytes("hello")});
  ASSERT_TRUE(verdict.accepted()) << verdict.outcome().error().to_string();
  EXPECT_EQ(verdict.unverified_statement().task_id(), result->report.task_id);
  EXPECT_EQ(verdict.unverified_statement().claimed_route().way(), "local");
  EXPECT_TRUE(call({grant(5)})->report.receipt.empty()) << "nobody asked";
}

TEST_F(Calls, FailWhenTheirReceiptDoesNotVerify) {
  instance_.certificate = wire::HeldCertificate(instance_certificate("sgx")); // which the owner does not admit
  leases_.grants = {grant(5)};
  CallOptions options;
  options.receipt = true;
  Client& client = caller_;
  const auto result = client.call("echo", as_bytes("hello"), options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kUnauthenticated) << result.error().to_string();
  EXPECT_THAT(result.error().message(), HasSubstr("the receipt: admitted"));
  EXPECT_EQ(ran_, 1) << "it is not tried again";
}

TEST_F(Calls, GetKeysOfTheNextEpochWhenTheInstanceRefusesTheirs) {
  ASSERT_TRUE(call({grant(5)}));
  EXPECT_EQ(entry_.asked, 1);
  entry_.epoch = 2;
  EXPECT_TRUE(call({grant(5)}));
  EXPECT_EQ(entry_.asked, 1) << "both epochs are valid";
  renew_instance(2);
  revoke([](auto& list) {
    list.add_epochs()->set_function("echo");
    list.mutable_epochs(0)->set_epoch(2);
  });
  const auto moved = call({grant(5)});
  ASSERT_TRUE(moved) << moved.error().to_string();
  EXPECT_EQ(as_text(moved->body), "hello");
  EXPECT_EQ(moved->report.attempts, 2U) << "no task is lost";
  EXPECT_EQ(entry_.asked, 2);
}

TEST_F(Calls, MoveToTheNextEpochWhenTheirProxyTurnsNoOther) {
  ASSERT_TRUE(call({grant(5)}));
  entry_.epoch = entry_.turns_from = 2;
  renew_instance(2);
  caller_.forget_void(revocations_);
  const auto moved = call({grant(5)});
  ASSERT_TRUE(moved) << moved.error().to_string();
  EXPECT_EQ(entry_.asked, 2);
}

TEST_F(Calls, RefuseAnEpochThatWasLowered) {
  entry_.epoch = 2;
  renew_instance(2);
  ASSERT_TRUE(call({grant(5)}));
  entry_.epoch = 1; // an answer of before, which the master has kept
  entry_.turns_from = 3;
  caller_.forget_void(revocations_);
  const auto lowered = refusal(grant(5));
  EXPECT_EQ(lowered.code(), Code::kPermissionDenied);
  EXPECT_THAT(lowered.message(), HasSubstr("an epoch does not come back"));
  auto owners = descriptor(6);
  owners.set_epoch(9);
  EXPECT_EQ(refusal(grant(owners)).code(), Code::kPermissionDenied) << "below the one that the owner states";
}

TEST_F(Calls, OfANewProcessRememberTheVersionsOfTheLast) {
  const auto open = [&] {
    return wire::KnownNames::open(directory_.path() / "names", authority_.public_key().bytes()).value();
  };
  entry_.version = 5;
  leases_.grants = {grant(5)};
  CallOptions options;
  {
    Caller first(anna_, leases_, entry_, clock_, open());
    Client& client = first;
    ASSERT_TRUE(client.call("echo", as_bytes("hello"), options));
  }
  leases_.grants = {grant(4)};
  Caller second(anna_, leases_, entry_, clock_, open());
  Client& client = second;
  const auto older = client.call("echo", as_bytes("hello"), options);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code(), Code::kFailedPrecondition);
}

} // namespace
} // namespace tcfdl::sdk
