#include "sdk/task_server.hpp"

#include "sdk/tests/instance_world.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;
using testing::Not;

class TaskServerTest : public InstanceWorld {};

TEST_F(TaskServerTest, GivesTheHandlersResultToTheCallerOnly) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.body = to_bytes("a secret word");
  const auto result = exchange(session, call);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(*result, "a secret word");
  EXPECT_TRUE(call.output.accepted && call.output.in_step);
  EXPECT_THAT(session.tap->seen(), Not(HasSubstr("secret word")));
}

TEST_F(TaskServerTest, TakesManyTasksOverOneConnectionAndAsksItsProxyOnceACapsule) {
  start_echo();
  Session session(*server_);
  for (int i = 0; i < 3; ++i) {
    auto call = call_of(anna_, &capsule_);
    call.body = Bytes(200'000, static_cast<std::uint8_t>('a' + i));
    const auto result = exchange(session, call);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_TRUE(*result == as_text(call.body));
  }
  EXPECT_EQ(proxy_.asked, 1);
}

TEST_F(TaskServerTest, StreamsABody) {
  start(StreamHandler([](TaskContext&, BodyReader& body, BodyWriter& result) -> Status {
    Bytes piece(10'000);
    for (;;) {
      TCFDL_ASSIGN(const auto size, body.read(piece));
      if (size == 0) return {};
      TCFDL_TRY(result.write(BytesView(piece).first(size)));
    }
  }));
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.body = Bytes(300'000, 'z');
  EXPECT_TRUE(exchange(session, call).value_or("") == as_text(call.body));
}

/// Both ends of a talk: sends a piece when the one before it has come back.
class Talk final : public RequestBody, public ResultSink {
public:
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return std::nullopt; }
  Status send(wire::SegmentWriter& writer) override {
    for (const std::string_view piece : {"one ", "two ", "three"}) {
      TCFDL_TRY(writer.write(as_bytes(piece)));
      TCFDL_TRY(writer.flush());
      std::unique_lock lock(mutex_);
      const bool came = changed_.wait_for(lock, std::chrono::seconds(20), [&] { return text_.ends_with(piece); });
      if (!came) return make_error(Code::kDeadlineExceeded, "'{}' did not come back", piece);
    }
    return {};
  }
  bool restart() override { return false; }
  Status write(BytesView piece) override {
    const std::scoped_lock lock(mutex_);
    text_ += as_text(piece);
    changed_.notify_all();
    return {};
  }
  [[nodiscard]] const std::string& text() const { return text_; }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_; // guarded by mutex_ until the exchange is over
};

TEST_F(TaskServerTest, GivesAResultWhileItIsMade) {
  start(StreamHandler([](TaskContext&, BodyReader& body, BodyWriter& result) -> Status {
    Bytes piece(100);
    for (;;) {
      TCFDL_ASSIGN(const auto size, body.read(piece));
      if (size == 0) return {};
      TCFDL_TRY(result.write(BytesView(piece).first(size)));
      TCFDL_TRY(result.flush());
    }
  }));
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  Talk talk;
  const auto done = exchange(session, call, talk, talk);
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(talk.text(), "one two three");
}

TEST_F(TaskServerTest, TakesFromTheNetworkWhatIsSealedAndNothingElse) {
  start_echo();
  Session session(*server_, Reach::kOpen);
  auto sealed = call_of(anna_, &capsule_);
  EXPECT_TRUE(exchange(session, sealed));
  auto open = call_of(anna_, nullptr);
  const auto refused = refusal(session, open);
  EXPECT_EQ(refused.code(), Code::kPermissionDenied);
  EXPECT_THAT(refused.message(), HasSubstr("came over an open network"));
}

TEST_F(TaskServerTest, TellsTheHandlerWhoseTaskItIs) {
  start(Handler([](TaskContext& task, BytesView) -> Result<Bytes> {
    EXPECT_GT(task.time_left().count(), 0);
    return to_bytes(task.caller() + " " + task.function() + " " + task.task_id());
  }));
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(exchange(session, call).value_or(""), "anna echo " + call.lease.task_id());
}

TEST_F(TaskServerTest, RefusesALeaseThatIsNotForItOrNotOfItsTask) {
  start_echo();
  Session session(*server_);
  const auto refused = [&](auto change) {
    auto call = call_of(anna_, &capsule_);
    change(call);
    return refusal(session, call).code();
  };
  EXPECT_EQ(refused([](Call& c) { c.lease.set_instance("echo-2"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](Call& c) { c.lease.set_function("other"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](Call& c) { c.lease.set_cluster("east"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](Call& c) { c.lease.set_expires_ms(now_seconds() * 1000 - 1); }), Code::kUnavailable);
  EXPECT_EQ(refused([](Call& c) { c.lease.set_task_id(make_uuid()); }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](Call& c) { c.header.set_function("other"); }), Code::kInvalidArgument);
  EXPECT_EQ(refused([](Call& c) { c.header.set_expires_ms(now_seconds() * 1000 - 1); }), Code::kDeadlineExceeded);
}

TEST_F(TaskServerTest, RefusesALeaseOfAnyoneButAMaster) {
  start_echo();
  const auto stranger = crypto::SigningKey::generate();
  const auto refused = [&](const wire::Signed& shown) {
    Session session(*server_);
    auto call = call_of(anna_, &capsule_);
    call.master = &stranger;
    call.master_certificate = shown;
    return refusal(session, call).code();
  };
  EXPECT_EQ(refused(master_certificate_), Code::kUnauthenticated) << "another key than the certificate's";
  EXPECT_EQ(refused(certificate("w", wire::ROLE_WORKER, stranger)), Code::kPermissionDenied);
  wire::Certificate own;
  own.set_role(wire::ROLE_MASTER);
  own.set_cluster("west");
  own.set_expires(now_seconds() + 100);
  own.set_verify_key(wire::field(stranger.public_key().bytes()));
  EXPECT_EQ(refused(wire::sign(stranger, own)), Code::kUnauthenticated) << "a certificate of its own making";
}

TEST_F(TaskServerTest, RefusesACallerThatDoesNotHoldTheLeasesKey) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.caller = &bert_; // signs the possession
  EXPECT_EQ(refusal(session, call).code(), Code::kUnauthenticated);
}

TEST_F(TaskServerTest, TakesATaskAfterARefusalThatCameBeforeTheProof) {
  start_echo();
  Session session(*server_);
  auto late = call_of(anna_, &capsule_);
  late.lease.set_expires_ms(now_seconds() * 1000 - 1);
  EXPECT_EQ(refusal(session, late).code(), Code::kUnavailable);
  EXPECT_TRUE(late.output.in_step);
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(exchange(session, call).value_or(""), "hello");
}

TEST_F(TaskServerTest, RefusesASecondCallerOnAConnection) {
  start_echo();
  Session session(*server_);
  auto first = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, first));
  const auto berts = capsule_of(bert_);
  auto second = call_of(bert_, &berts);
  EXPECT_EQ(refusal(session, second).code(), Code::kPermissionDenied);
}

TEST_F(TaskServerTest, RefusesAnotherCallersCapsule) {
  start_echo();
  const auto refused = [&] {
    Session session(*server_);
    auto call = call_of(bert_, &capsule_);
    call.header.set_sender("anna");
    return refusal(session, call).code();
  };
  EXPECT_EQ(refused(), Code::kPermissionDenied);
  {
    Session session(*server_);
    auto call = call_of(anna_, &capsule_);
    ASSERT_TRUE(exchange(session, call));
  }
  EXPECT_EQ(refused(), Code::kPermissionDenied);
  Session session(*server_);
  session.instance.capsules.insert(capsule_.header.capsule_id()); // so that only its id is sent
  auto call = call_of(bert_, &capsule_);
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
}

TEST_F(TaskServerTest, RefusesACallerUnderAnotherName) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.header.set_sender("bert");
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
  auto honest = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, honest));
  auto again = call_of(anna_, &capsule_); // the capsule is known now
  again.header.set_sender("bert");
  EXPECT_EQ(refusal(session, again).code(), Code::kPermissionDenied);
}

TEST_F(TaskServerTest, RefusesACapsuleOfAnotherFunctionClassOrEpoch) {
  start_echo();
  const auto refused = [&](auto change) {
    auto key_scope = scope("anna", anna_.signing);
    change(key_scope);
    const auto capsule = capsule_of(anna_, key_scope);
    Session session(*server_);
    auto call = call_of(anna_, &capsule);
    return refusal(session, call).code();
  };
  EXPECT_EQ(refused([](wire::KeyScope& s) { s.set_function("other"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](wire::KeyScope& s) { s.set_assurance("hardware"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([](wire::KeyScope& s) { s.set_epoch(0); }), Code::kFailedPrecondition);
  EXPECT_EQ(refused([](wire::KeyScope& s) { s.set_epoch(2); }), Code::kUnavailable) << "keys of it cannot be asked for";
}

TEST_F(TaskServerTest, AsksForACapsuleThatItDoesNotKnowAndGoesOnWhenItComes) {
  start_echo();
  Session session(*server_);
  session.instance.capsules.insert(capsule_.header.capsule_id());
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(refusal(session, call).code(), Code::kFailedPrecondition);
  EXPECT_TRUE(call.output.in_step);
  session.instance.capsules.clear();
  EXPECT_EQ(exchange(session, call).value_or(""), "hello");
}

TEST_F(TaskServerTest, RefusesACapsuleForAnotherInstanceAlone) {
  start_echo();
  Session session(*server_);
  for (const auto* instance : {"echo-2", "echo-1"}) {
    const auto capsule = capsule_of(anna_, scope("anna", anna_.signing), instance);
    auto call = call_of(anna_, &capsule);
    if (std::string(instance) == "echo-2") {
      EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
    } else {
      EXPECT_EQ(exchange(session, call).value_or(""), "hello");
    }
  }
}

TEST_F(TaskServerTest, TakesACapsuleForOneLeaseAloneWhereInstancesAreIsolated) {
  settings_.isolated = true;
  start_echo();
  Session session(*server_);
  auto shared = call_of(anna_, &capsule_);
  EXPECT_THAT(refusal(session, shared).message(), HasSubstr("for one instance alone"));
  const auto own = capsule_of(anna_, scope("anna", anna_.signing), "echo-1");
  auto first = call_of(anna_, &own);
  EXPECT_EQ(exchange(session, first).value_or(""), "hello");
  auto repeated = call_of(anna_, &own);
  EXPECT_EQ(exchange(session, repeated).value_or(""), "hello") << "of the same lease";
  for (const bool only_its_id : {true, false}) {
    if (!only_its_id) session.instance.capsules.clear();
    auto second = call_of(anna_, &own);
    second.lease.set_lease_id("lease-2");
    const auto refused = refusal(session, second);
    EXPECT_EQ(refused.code(), Code::kPermissionDenied);
    EXPECT_THAT(refused.message(), HasSubstr("another lease"));
  }
}

TEST_F(TaskServerTest, RefusesWhatItsProxyDidNotTurnRight) {
  start_echo();
  proxy_.lies = true;
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(refusal(session, call).code(), Code::kUnauthenticated);
}

TEST_F(TaskServerTest, AdmitsOnlyTheOwnersProtections) {
  settings_.protections = {"eae"};
  start_echo();
  Session session(*server_);
  auto plain = call_of(anna_, nullptr);
  EXPECT_EQ(refusal(session, plain).code(), Code::kPermissionDenied);
  auto unknown = call_of(anna_, &capsule_);
  unknown.header.set_protection("");
  EXPECT_EQ(refusal(session, unknown).code(), Code::kPermissionDenied);
}

TEST_F(TaskServerTest, RunsAnUnprotectedTaskWhereTheOwnerAdmitsIt) {
  start_echo();
  Session session(*server_);
  auto plain = call_of(anna_, nullptr);
  EXPECT_EQ(exchange(session, plain).value_or(""), "hello");
  auto mixed = call_of(anna_, &capsule_);
  mixed.header.set_protection("none");
  EXPECT_EQ(refusal(session, mixed).code(), Code::kInvalidArgument) << "a capsule without protection";
}

TEST_F(TaskServerTest, RefusesABodyWithAChangedBit) {
  start_echo();
  for (const std::size_t size : {0U, 5U, 200'000U}) {
    Session session(*server_);
    session.tap->flip = true;
    auto call = call_of(anna_, &capsule_);
    call.body = Bytes(size, 'x');
    EXPECT_EQ(refusal(session, call).code(), Code::kUnauthenticated) << size;
  }
}

TEST_F(TaskServerTest, RefusesABodyUnderAnotherHeader) {
  start_echo();
  Session session(*server_);
  const auto other = capsule_of(anna_);
  auto first = call_of(anna_, &other);
  ASSERT_TRUE(exchange(session, first));
  auto call = call_of(anna_, &capsule_);
  call.header.set_capsule_id(other.header.capsule_id()); // sealed with another key than the named one's
  session.instance.capsules.insert(capsule_.header.capsule_id());
  EXPECT_EQ(refusal(session, call).code(), Code::kUnauthenticated);
}

TEST_F(TaskServerTest, RefusesABodyBeyondItsLimit) {
  settings_.max_body = 100;
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.body = Bytes(101, 'x');
  EXPECT_EQ(refusal(session, call).code(), Code::kResourceExhausted);
}

TEST_F(TaskServerTest, SealsTheHandlersError) {
  start(Handler([](TaskContext&, BytesView) -> Result<Bytes> {
    return Error(Code::kOutOfRange, "the patient has no such plate");
  }));
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  const auto result = exchange(session, call);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kOutOfRange);
  EXPECT_EQ(result.error().message(), "the patient has no such plate");
  EXPECT_TRUE(call.output.accepted);
  EXPECT_THAT(session.tap->seen(), Not(HasSubstr("patient")));
}

TEST_F(TaskServerTest, OutlivesAHandlerThatThrows) {
  start(Handler([this](TaskContext&, BytesView body) -> Result<Bytes> {
    if (++ran_ == 1) throw std::runtime_error("boom");
    if (ran_ == 2) throw 7; // NOLINT
    return Bytes(body.begin(), body.end());
  }));
  Session session(*server_);
  for (const auto* text : {"boom", "no std::exception"}) {
    auto call = call_of(anna_, &capsule_);
    const auto result = exchange(session, call);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kInternal);
    EXPECT_THAT(result.error().message(), HasSubstr(text));
  }
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(exchange(session, call).value_or(""), "hello");
}

TEST_F(TaskServerTest, RunsARepeatedTaskOnce) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, call));
  EXPECT_EQ(exchange(session, call).value_or(""), "hello");
  EXPECT_EQ(ran_, 1);
  call.body = to_bytes("another");
  call.output = {};
  EXPECT_EQ(refusal(session, call).code(), Code::kAlreadyExists);
}

TEST_F(TaskServerTest, GivesNobodysOutcomeToAnotherWhoClaimsTheName) {
  start_echo();
  Session annas(*server_);
  auto call = call_of(anna_, nullptr);
  ASSERT_TRUE(exchange(annas, call));
  Session berts(*server_);
  auto stolen = call_of(bert_, nullptr);
  stolen.header.set_sender("anna");
  stolen.header.set_task_id(call.header.task_id());
  stolen.lease.set_task_id(call.header.task_id());
  EXPECT_EQ(exchange(berts, stolen).value_or(""), "hello");
  EXPECT_EQ(ran_, 2) << "without protection a name is only claimed: the proven key tells callers apart";
}

TEST_F(TaskServerTest, TakesNoMoreTasksAtOnceThanItsConcurrencyAndNoneWhenDraining) {
  settings_.concurrency = 1;
  std::promise<void> entered;
  std::promise<void> released;
  start(Handler([&](TaskContext&, BytesView) -> Result<Bytes> {
    if (++ran_ == 1) {
      entered.set_value();
      released.get_future().wait();
    }
    return Bytes();
  }));
  Session first(*server_);
  Session second(*server_);
  auto running = std::async(std::launch::async, [&] {
    auto call = call_of(anna_, &capsule_);
    return bool(exchange(first, call));
  });
  entered.get_future().wait();
  auto call = call_of(anna_, &capsule_);
  EXPECT_EQ(refusal(second, call).code(), Code::kUnavailable);
  EXPECT_TRUE(call.output.in_step);
  server_->drain(Deadline::after_millis(0));
  released.set_value();
  EXPECT_TRUE(running.get()) << "a running task ends";
  server_->drain(Deadline::after(seconds(10)));
  EXPECT_EQ(refusal(second, call).code(), Code::kUnavailable);
}

TEST_F(TaskServerTest, TellsTheHandlerThatTheCallerHungUp) {
  std::promise<void> entered;
  start(Handler([&](TaskContext& task, BytesView) -> Result<Bytes> {
    std::promise<void> stopped;
    const std::stop_callback told(task.cancelled(), [&] { stopped.set_value(); });
    entered.set_value();
    const auto in_time = stopped.get_future().wait_for(seconds(10)) == std::future_status::ready;
    EXPECT_TRUE(in_time) << "nobody stopped the handler";
    return Error(Code::kAborted, "stopped");
  }));
  Session session(*server_);
  auto running = std::async(std::launch::async, [&] {
    auto call = call_of(anna_, &capsule_);
    return exchange(session, call).error().code();
  });
  entered.get_future().wait();
  session.end();
  EXPECT_EQ(running.get(), Code::kUnavailable);
  ASSERT_EQ(events_.all().size(), 2U);
  EXPECT_EQ(events_.all().back().code(), static_cast<std::uint32_t>(Code::kCancelled));
}

TEST_F(TaskServerTest, TellsTheStartAndTheEndOfEachAdmittedTask) {
  start(Handler([](TaskContext&, BytesView body) -> Result<Bytes> {
    if (body.empty()) return Error(Code::kNotFound, "nothing");
    return Bytes();
  }));
  {
    Session session(*server_);
    auto good = call_of(anna_, &capsule_);
    ASSERT_TRUE(exchange(session, good));
    auto bad = call_of(anna_, &capsule_);
    bad.lease.set_lease_id("lease-2");
    bad.body.clear();
    EXPECT_FALSE(exchange(session, bad));
    auto refused = call_of(anna_, &capsule_);
    refused.lease.set_instance("echo-2");
    EXPECT_FALSE(exchange(session, refused));
  }
  std::vector<std::string> told;
  for (const auto& event : events_.all()) {
    EXPECT_EQ(event.instance(), "echo-1");
    told.push_back(
        fmt::format("{} {} {}", event.lease_id(), event.started() ? "started" : "", event.done() ? event.code() : 99));
  }
  EXPECT_THAT(told, testing::ElementsAre("lease-1 started 99", "lease-1  0", "lease-2 started 99", "lease-2  5"));
}

TEST_F(TaskServerTest, SurvivesGarbageOnAConnection) {
  start_echo();
  for (const auto kind : {wire::FrameKind::kMessage, wire::FrameKind::kSegment, wire::FrameKind::kLastSegment}) {
    Session session(*server_);
    ASSERT_TRUE(session.instance.connection->send(kind, Bytes(100, 0xff), Deadline::after(seconds(10))));
  }
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  EXPECT_TRUE(exchange(session, call));
}

} // namespace
} // namespace tcfdl::sdk
