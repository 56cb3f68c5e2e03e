#include "sdk/caller.hpp"

#include "base/file.hpp"
#include "sdk/tests/instance_world.hpp"
#include "wire/listener.hpp"
#include "wire/receipt.hpp"

#include <deque>
#include <future>
#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

/// Leases as a test lays them out; the last one is given again and again.
class Leases final : public TaskManager {
public:
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline, const std::stop_token&) override {
    ++asked;
    priority = request.priority();
    excluded.assign(request.exclude().begin(), request.exclude().end());
    if (busy > 0) {
      --busy;
      return full;
    }
    auto grant = grants.front();
    if (grants.size() > 1) grants.pop_front();
    wire::Lease lease;
    lease.set_lease_id("lease-" + std::to_string(++given));
    lease.set_task_id(request.task_id());
    lease.set_function(request.function());
    lease.set_instance(grant.instance());
    lease.set_caller_key(caller_key);
    lease.set_expires_ms((now_seconds() + 20) * 1000);
    lease.set_cluster("west");
    if (request.burst() && burst_ms > 0) {
      lease.clear_task_id();
      lease.set_burst_tasks(burst_tasks);
      lease.set_burst_ms(burst_ms);
    }
    *grant.mutable_lease() = wire::sign(*master, lease);
    return grant;
  }
  void release(const wire::LeaseRelease&) override { ++released; }
  Result<std::unique_ptr<wire::Connection>> open_relay(const wire::OpenRelay&, Deadline) override {
    if (relay) return std::move(relay);
    return Error(Code::kUnavailable, "no relay here");
  }

  std::deque<wire::LeaseGrant> grants;
  Error full{Code::kResourceExhausted, "the queue of echo is full"};
  int busy = 0; ///< how often the queue is full before it is not
  int asked = 0;
  wire::Priority priority{};
  std::vector<std::string> excluded; ///< by the last request
  std::unique_ptr<wire::Connection> relay;
  const crypto::SigningKey* master = nullptr;
  std::string caller_key;
  int given = 0;
  int released = 0;
  unsigned burst_tasks = 3;
  unsigned burst_ms = 0; ///< 0: no bursts, whatever is asked for
};

/// The caller's proxy with the authority behind it, which states whose `echo` is.
class EntryProxy final : public Proxy {
public:
  EntryProxy(const crypto::SigningKey& authority, const crypto::SigningKey& proxy, const wire::Signed& certificate,
             const crypto::Scalar& f, const Identity& caller)
      : authority_(authority), proxy_(proxy), certificate_(certificate), caller_(caller), x_(crypto::Scalar::random()),
        rk_(crypto::reencryption_key(x_, f)) {}

  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline) override {
    wire::ProxyReply reply;
    if (request.has_turn()) {
      wire::ProxyKey key{rk_.clone(), scope(caller_.name, caller_.signing)};
      key.scope.set_epoch(wire::capsule_header_unverified(request.turn()).value().epoch());
      turned_for.push_back(wire::capsule_header_unverified(request.turn()).value().instance());
      if (key.scope.epoch() < turns_from) return Error(Code::kFailedPrecondition, "that epoch was replaced");
      TCFDL_ASSIGN(*reply.mutable_capsule(),
                   wire::turn_capsule(request.turn(), key, proxy_, certificate_, now_seconds()));
      return reply;
    }
    ++asked;
    if (hold) hold->wait();
    auto stated = scope(caller_.name, caller_.signing);
    stated.set_epoch(epoch);
    stated.set_role(wire::KEY_ROLE_SENDER);
    stated.set_recipient_key(wire::field(caller_.sealing.public_key().bytes()));
    stated.set_expires(now_seconds() + 3600);
    stated.set_owner(owner);
    stated.set_version(version);
    TCFDL_ASSIGN(auto sealed, crypto::hpke_seal(caller_.sealing.public_key().bytes(),
                                                as_bytes(stated.SerializeAsString()), {}, x_.to_bytes().span()));
    *reply.mutable_sender_key() = wire::sign_key_package(authority_, stated, std::move(sealed));
    return reply;
  }

  std::optional<std::shared_future<void>> hold; ///< keys come when it is there
  std::string owner;
  std::uint64_t version = 1;
  std::uint32_t epoch = 1;             ///< that the authority gives keys of
  std::uint32_t turns_from = 0;        ///< the lowest epoch whose capsules the proxy turns
  std::atomic<int> asked = 0;          ///< for keys
  std::vector<std::string> turned_for; ///< instances that capsules were for

private:
  const crypto::SigningKey& authority_;
  const crypto::SigningKey& proxy_;
  const wire::Signed& certificate_;
  const Identity& caller_;
  crypto::Scalar x_;
  crypto::Scalar rk_;
};

class Calls : public InstanceWorld {
protected:
  void SetUp() override {
    InstanceWorld::SetUp();
    settings_.descriptor = wire::sign(owner_, descriptor(5));
    instance_.certificate = wire::HeldCertificate(instance_certificate());
    start_echo();
    listener_ =
        wire::Listener::start(wire::UnixAddress{(directory_.path() / "echo.sock").string()}, {.name = "echo"},
                              [this](wire::Connection& connection) { server_->serve(connection, Reach::kMachine); })
            .value();
    leases_.master = &master_;
    leases_.caller_key = wire::field(anna_.signing.public_key().bytes());
    entry_.owner = wire::field(crypto::sha256(owner_.public_key().bytes()));
  }

  wire::Descriptor descriptor(std::uint64_t version) const {
    wire::Descriptor result;
    result.set_name("echo");
    result.set_version(version);
    result.set_owner_key(wire::field(owner_.public_key().bytes()));
    result.set_measurement(std::string(32, 'm'));
    result.add_tee_kinds("software");
    result.add_protections("eae");
    result.add_assurance("software");
    result.add_providers("west");
    result.set_epoch(1);
    return result;
  }
  wire::LeaseGrant grant(const wire::Signed& described) const {
    wire::LeaseGrant result;
    *result.mutable_master_certificate() = master_certificate_;
    *result.mutable_descriptor() = described;
    result.set_cluster("west");
    result.set_instance("echo-1");
    result.set_assurance("software");
    auto& route = *result.add_routes();
    route.set_kind(wire::ROUTE_KIND_LOCAL);
    route.set_address(wire::to_string(listener_->address()));
    return result;
  }
  wire::LeaseGrant grant(const wire::Descriptor& described) const { return grant(wire::sign(owner_, described)); }
  wire::LeaseGrant grant(std::uint64_t version) const { return grant(descriptor(version)); }

  Result<CallResult> call(std::deque<wire::LeaseGrant> grants, Protection protection = Protection::kEae) {
    leases_.grants = std::move(grants);
    CallOptions options;
    options.timeout = seconds(20);
    options.protection = protection;
    Client& client = caller_;
    return client.call("echo", as_bytes("hello"), options);
  }
  Error refusal(const wire::LeaseGrant& offered, Protection protection = Protection::kEae) {
    const auto released = leases_.released;
    const auto ran = ran_.load();
    const auto result = call({offered}, protection);
    EXPECT_FALSE(result) << "this must be refused";
    EXPECT_GT(leases_.released, released) << "the lease is given back";
    EXPECT_EQ(ran_.load(), ran) << "the handler ran";
    return result ? Error(Code::kUnknown, "") : result.error();
  }

  /// The instance's proxy gets keys of that epoch for it, the same scalars.
  void renew_instance(std::uint32_t epoch) {
    auto stated = scope("echo-1", instance_.signing);
    stated.set_epoch(epoch);
    proxy_.add(crypto::reencryption_key(f_, x_j_), stated);
    stated.set_role(wire::KEY_ROLE_PROCESSOR);
    stated.set_recipient_key(wire::field(instance_.sealing.public_key().bytes()));
    stated.set_expires(now_seconds() + 3600);
    auto sealed = crypto::hpke_seal(instance_.sealing.public_key().bytes(), as_bytes(stated.SerializeAsString()), {},
                                    x_j_.to_bytes().span());
    wire::ProxyReply reply;
    *reply.mutable_attached()->mutable_certificate() = instance_.certificate.get();
    *reply.mutable_attached()->mutable_processor_key() = wire::sign_key_package(authority_, stated, *std::move(sealed));
    proxy_.renewal = std::move(reply);
  }

  TemporaryDirectory directory_;
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  Leases leases_;
  EntryProxy entry_{authority_, proxy_key_, proxy_certificate_, f_, anna_};
  Caller caller_{anna_, leases_, entry_, clock_};
  std::unique_ptr<wire::Listener> listener_;
};

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
