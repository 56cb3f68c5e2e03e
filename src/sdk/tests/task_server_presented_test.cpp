// What a master may present in its callers' place, and what it may not.
#include "crypto/random.hpp"
#include "sdk/tests/instance_world.hpp"

#include <condition_variable>
#include <future>
#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

class PresentedTasksTest : public InstanceWorld {
protected:
  /// A master that can prove its key, as callers can.
  Identity master_identity(const std::string& cluster = "west") {
    auto key = crypto::SigningKey::generate();
    wire::Certificate statement;
    statement.set_subject("master of " + cluster);
    statement.set_role(wire::ROLE_MASTER);
    statement.set_cluster(cluster);
    statement.set_issued(now_seconds() - 1);
    statement.set_expires(now_seconds() + 3600);
    statement.set_verify_key(wire::field(key.public_key().bytes()));
    auto signed_certificate = wire::sign(authority_, statement);
    return {"master", std::move(key), crypto::HpkePrivateKey::generate(),
            wire::HeldCertificate(std::move(signed_certificate)), authority_.public_key()};
  }
  /// Anna's task, left to the master of `west`, presented by it.
  Call presented(const Identity& master, const ReadyCapsule* capsule) {
    auto call = call_of(anna_, capsule);
    call.caller = &master;
    call.master = &master.signing;
    call.master_certificate = master.certificate.get();
    call.lease.set_presented(true);
    call.header.set_courier("west");
    return call;
  }
  Code refused(const std::function<void(Call&)>& change) {
    Session session(*server_);
    auto call = presented(presenter_, &capsule_);
    change(call);
    return refusal(session, call).code();
  }
  static void wait_for_cancellation(TaskContext& task) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait(lock, task.cancelled(), [] { return false; });
  }
  void start_waiting() {
    start(Handler([this](TaskContext& task, BytesView) -> Result<Bytes> {
      ++ran_;
      began_.set_value();
      wait_for_cancellation(task);
      return Error(Code::kInternal, "it was told to end");
    }));
  }
  Result<wire::TaskReply> cancel(const Identity& master, const std::string& task_id) {
    Session session(*server_);
    wire::TaskRequest request;
    *request.mutable_master_certificate() = master.certificate.get();
    const auto& hello = session.instance.hello;
    request.set_possession(wire::field(
        wire::sign_labelled(master.signing, "Possession", {as_bytes(hello.nonce()), as_bytes(hello.name())})));
    request.mutable_cancel()->set_caller_key(wire::field(anna_.signing.public_key().bytes()));
    request.mutable_cancel()->set_task_id(task_id);
    return wire::exchange<wire::TaskReply>(*session.instance.connection, request, Deadline::after(seconds(20)));
  }

  Identity presenter_ = master_identity();
  std::promise<void> began_;
};

TEST_F(PresentedTasksTest, RunsWhatTheSenderLeftToThatMaster) {
  start_echo();
  Session session(*server_);
  auto call = presented(presenter_, &capsule_);
  const auto result = exchange(session, call);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(*result, "hello");
}

TEST_F(PresentedTasksTest, RefusesWhatTheSenderDidNotLeaveToThatMaster) {
  start_echo();
  const auto other = master_identity("east");
  EXPECT_EQ(refused([](Call& c) { c.header.clear_courier(); }), Code::kPermissionDenied)
      << "the sender did not mark it as asynchronous";
  EXPECT_EQ(refused([](Call& c) { c.header.set_courier("east"); }), Code::kPermissionDenied);
  EXPECT_EQ(refused([&](Call& c) {
              c.caller = &other;
              c.master = &other.signing;
              c.master_certificate = other.certificate.get();
              c.lease.set_cluster("east");
            }),
            Code::kPermissionDenied)
      << "the master of another cluster";
  EXPECT_EQ(refused([&](Call& c) { c.caller = &bert_; }), Code::kUnauthenticated) << "a caller with the master's lease";
  EXPECT_EQ(refused([&](Call& c) { c.caller = &anna_; }), Code::kUnauthenticated) << "the sender itself";
  EXPECT_EQ(refused([](Call& c) { c.lease.set_presented(false); }), Code::kUnauthenticated) << "as if it were Anna";
}

TEST_F(PresentedTasksTest, RefusesAMarkedTaskThatTheSenderBringsItself) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  call.header.set_courier("west");
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
}

TEST_F(PresentedTasksTest, RefusesATaskWhoseCapsuleIsNotTheLeasesCallers) {
  start_echo();
  EXPECT_EQ(refused([&](Call& c) { c.lease.set_caller_key(wire::field(bert_.signing.public_key().bytes())); }),
            Code::kPermissionDenied);
}

TEST_F(PresentedTasksTest, DoesNotOpenABodyWhoseHeaderTheMasterMarked) {
  start_echo();
  Session session(*server_);
  // Sealed by Anna without the mark; what the master shows has it.
  auto direct = call_of(anna_, &capsule_);
  const auto salt = crypto::random_array<crypto::kSaltSize>();
  auto keys = crypto::derive_stream_keys(capsule_.secret.key.span(), salt, wire::kRequestDirection,
                                         as_bytes(direct.header.SerializeAsString()));
  auto call = presented(presenter_, &capsule_);
  call.lease.set_task_id(direct.header.task_id());
  auto marked = direct.header;
  marked.set_courier("west");
  wire::TaskRequest request;
  *request.mutable_lease() = wire::sign(*call.master, call.lease);
  *request.mutable_master_certificate() = call.master_certificate;
  request.set_sealed_header(marked.SerializeAsString());
  request.set_salt(wire::field(salt));
  *request.mutable_capsule() = capsule_.capsule;
  request.set_remaining_ms(10'000);
  const auto& hello = session.instance.hello;
  request.set_possession(wire::field(
      wire::sign_labelled(presenter_.signing, "Possession", {as_bytes(hello.nonce()), as_bytes(hello.name())})));
  auto& connection = *session.instance.connection;
  ASSERT_TRUE(wire::send_message(connection, request, Deadline::after(seconds(10))));
  ASSERT_TRUE(wire::send_body(connection, std::move(keys), to_bytes("hello"), Deadline::after(seconds(10))));
  const auto reply = wire::receive_message<wire::TaskReply>(connection, Deadline::after(seconds(10)));
  ASSERT_TRUE(!reply || reply->has_refused());
  EXPECT_EQ(ran_, 0);
}

TEST_F(PresentedTasksTest, AMasterWithoutProtectionDoesNotGetTheOutcomeOfWhatTheCallerSent) {
  start_echo();
  Session own(*server_);
  auto direct = call_of(anna_, &capsule_);
  direct.body = to_bytes("a guess");
  ASSERT_TRUE(exchange(own, direct));
  // The body is guessed, and the outcome would be sent in the clear.
  Session session(*server_);
  auto call = presented(presenter_, nullptr);
  call.lease.set_task_id(direct.lease.task_id());
  call.header.set_task_id(direct.lease.task_id());
  call.body = to_bytes("a guess");
  ASSERT_TRUE(exchange(session, call));
  EXPECT_EQ(ran_, 2) << "it ran anew; the stored outcome was not given";
}

/// The sizes of a result's pieces as they come.
class Pieces final : public ResultSink {
public:
  bool restart() override { return false; }
  Status write(BytesView piece) override {
    sizes.push_back(piece.size());
    return {};
  }
  std::vector<std::size_t> sizes;
};

TEST_F(PresentedTasksTest, AResultThatIsStoredIsInFullSegmentsWhateverItsHandlerFlushes) {
  start(StreamHandler([](TaskContext&, BodyReader&, BodyWriter& result) -> Status {
    for (const auto* piece : {"one", "two"}) {
      TCFDL_TRY(result.write(as_bytes(std::string_view(piece))));
      TCFDL_TRY(result.flush());
    }
    return {};
  }));
  const auto pieces_of = [&](Call call) {
    Session session(*server_);
    WholeBody body(call.body);
    Pieces pieces;
    const auto done = exchange(session, call, body, pieces);
    EXPECT_TRUE(done) << done.error().to_string();
    return pieces.sizes;
  };
  EXPECT_THAT(pieces_of(call_of(anna_, &capsule_)), testing::Contains(3U)) << "a caller has it while it is made";
  EXPECT_THAT(pieces_of(presented(presenter_, &capsule_)), testing::ElementsAre(6U));
}

TEST_F(PresentedTasksTest, AConnectionIsTheMastersOrACallersAndNotBoth) {
  start_echo();
  Session session(*server_);
  auto direct = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, direct));
  auto call = presented(presenter_, &capsule_);
  EXPECT_EQ(refusal(session, call).code(), Code::kPermissionDenied);
  Session other(*server_);
  auto again = presented(presenter_, &capsule_);
  ASSERT_TRUE(exchange(other, again));
  auto own = call_of(anna_, &capsule_);
  EXPECT_EQ(refusal(other, own).code(), Code::kPermissionDenied);
}

TEST_F(PresentedTasksTest, RunsOnWhenTheMasterGoesAndGivesTheOutcomeToTheRepeat) {
  std::promise<void> may_end;
  std::promise<void> direct_began;
  std::promise<void> direct_ended;
  start(Handler([&](TaskContext& task, BytesView body) -> Result<Bytes> {
    const bool is_direct = as_text(body) == "direct";
    (is_direct ? direct_began : began_).set_value();
    if (is_direct) {
      wait_for_cancellation(task);
      direct_ended.set_value();
      return Bytes();
    }
    ++ran_;
    may_end.get_future().wait();
    return to_bytes(task.cancelled().stop_requested() ? "cancelled" : "done");
  }));
  auto call = presented(presenter_, &capsule_);
  {
    Session session(*server_);
    auto running = std::async(std::launch::async, [&] { return exchange(session, call); });
    began_.get_future().wait();
    Session witness(*server_);
    auto direct = call_of(anna_, &capsule_);
    direct.body = to_bytes("direct");
    auto called = std::async(std::launch::async, [&] { return exchange(witness, direct); });
    direct_began.get_future().wait();
    session.instance.connection->shutdown();
    EXPECT_FALSE(running.get());
    // The end of a later connection is noticed after that of an earlier one.
    witness.instance.connection->shutdown();
    EXPECT_FALSE(called.get());
    direct_ended.get_future().wait();
    may_end.set_value();
  }
  Session again(*server_);
  call.output = {};
  EXPECT_EQ(exchange(again, call).value_or(""), "done");
  EXPECT_EQ(ran_, 1);
}

TEST_F(PresentedTasksTest, AMasterEndsWhatItPresentedAndNoOtherDoes) {
  start_waiting();
  Session session(*server_);
  auto call = presented(presenter_, &capsule_);
  auto running = std::async(std::launch::async, [&] { return exchange(session, call); });
  began_.get_future().wait();
  const auto foreign = cancel(master_identity("east"), call.lease.task_id());
  ASSERT_TRUE(foreign) << foreign.error().to_string();
  EXPECT_EQ(wire::to_error(foreign->refused()).code(), Code::kNotFound);
  const auto stranger = cancel(bert_, call.lease.task_id());
  ASSERT_TRUE(stranger) << stranger.error().to_string();
  EXPECT_EQ(wire::to_error(stranger->refused()).code(), Code::kPermissionDenied);
  const auto told = cancel(presenter_, call.lease.task_id());
  ASSERT_TRUE(told) << told.error().to_string();
  EXPECT_TRUE(told->has_accepted());
  const auto result = running.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kCancelled) << result.error().to_string();
}

} // namespace
} // namespace tcfdl::sdk
