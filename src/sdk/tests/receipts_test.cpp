#include "sdk/receipts.hpp"

#include "sdk/result_writer.hpp"
#include "sdk/tests/instance_world.hpp"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;
using testing::Not;

class InstanceReceipts : public InstanceWorld {
protected:
  InstanceReceipts() {
    wire::Descriptor descriptor;
    descriptor.set_name("echo");
    descriptor.set_version(2);
    descriptor.set_owner_key(wire::field(owner_.public_key().bytes()));
    descriptor.set_measurement(std::string(32, 'm'));
    descriptor.add_tee_kinds("software");
    descriptor.add_assurance("software");
    descriptor.add_providers("*");
    for (const auto* protection : {"eae", "hse", "none"}) descriptor.add_protections(protection);
    settings_.descriptor = wire::sign(owner_, descriptor);
    instance_.certificate = instance_certificate();
  }
  Call wanting(const ReadyCapsule* capsule) {
    auto call = call_of(anna_, capsule);
    call.header.set_receipt(true);
    call.header.set_claimed_route("tcp");
    return call;
  }
  Result<wire::ReceiptStatement> verify(const Call& call, std::string_view output) const {
    return wire::verify_receipt(call.output.receipt, {.authority = authority_.public_key(),
                                                      .now = now_seconds(),
                                                      .input = call.body,
                                                      .output = as_bytes(output)})
        .outcome();
  }

  crypto::SigningKey owner_ = crypto::SigningKey::generate();
};

TEST_F(InstanceReceipts, AreMadeWhenAskedForOnly) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, call));
  EXPECT_TRUE(call.output.receipt.empty());
}

TEST_F(InstanceReceipts, SayWhatRanWhereOnWhichData) {
  start_echo();
  Session session(*server_);
  for (const auto* capsule : {static_cast<const ReadyCapsule*>(&capsule_), static_cast<const ReadyCapsule*>(nullptr)}) {
    auto call = wanting(capsule);
    const auto result = exchange(session, call);
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_TRUE(call.output.in_step);
    const auto stated = verify(call, *result);
    ASSERT_TRUE(stated) << stated.error().to_string();
    EXPECT_EQ(stated->task_id(), call.header.task_id());
    EXPECT_EQ(stated->function(), "echo");
    EXPECT_EQ(stated->version(), 2U);
    EXPECT_EQ(stated->measurement(), std::string(32, 'm'));
    EXPECT_EQ(stated->instance(), "echo-1");
    EXPECT_EQ(stated->protection(), capsule == nullptr ? "none" : "eae");
    EXPECT_EQ(stated->caller(), "anna");
    EXPECT_EQ(stated->caller_key(), call.lease.caller_key());
    EXPECT_EQ(stated->claimed_route().way(), "tcp");
    EXPECT_EQ(stated->claimed_route().granted_by(), "west");
    EXPECT_LE(stated->started_ms(), stated->finished_ms());
  }
}

TEST_F(InstanceReceipts, AreSealedToTheCaller) {
  start_echo();
  Session session(*server_);
  auto call = wanting(&capsule_);
  ASSERT_TRUE(exchange(session, call));
  const auto receipt = wire::parse<wire::Receipt>(call.output.receipt);
  ASSERT_TRUE(receipt);
  EXPECT_THAT(session.tap->seen(), Not(HasSubstr(receipt->input_salt())));
  EXPECT_THAT(session.tap->seen(), Not(HasSubstr(receipt->statement().statement())));
}

TEST_F(InstanceReceipts, OfTheSameDataDiffer) {
  start_echo();
  Session session(*server_);
  auto first = wanting(&capsule_);
  auto second = wanting(&capsule_);
  ASSERT_TRUE(exchange(session, first) && exchange(session, second));
  EXPECT_NE(verify(first, "hello")->input_hash(), verify(second, "hello")->input_hash());
  EXPECT_NE(verify(first, "hello")->input_hash(), verify(first, "hello")->output_hash());
}

TEST_F(InstanceReceipts, OfARepeatAreTheSame) {
  start_echo();
  Session first(*server_);
  Session second(*server_);
  auto call = wanting(&capsule_);
  ASSERT_TRUE(exchange(first, call));
  auto repeat = call;
  repeat.output = {};
  ASSERT_TRUE(exchange(second, repeat));
  EXPECT_EQ(ran_, 1);
  EXPECT_EQ(repeat.output.receipt, call.output.receipt);
  repeat.output = {};
  repeat.header.set_receipt(false);
  ASSERT_TRUE(exchange(second, repeat));
  EXPECT_TRUE(repeat.output.receipt.empty());
}

TEST_F(InstanceReceipts, AreNotMadeAfterwards) {
  start_echo();
  Session session(*server_);
  auto call = call_of(anna_, &capsule_);
  ASSERT_TRUE(exchange(session, call));
  call.header.set_receipt(true);
  call.output = {};
  const auto refused = refusal(session, call);
  EXPECT_EQ(refused.code(), Code::kAlreadyExists);
  EXPECT_THAT(refused.message(), HasSubstr("ran without a receipt"));
}

TEST_F(InstanceReceipts, OfStreamsAreOfTheWholeBodies) {
  start(StreamHandler([](TaskContext&, BodyReader& body, BodyWriter& result) -> Status {
    Bytes piece(10'000);
    TCFDL_ASSIGN(const auto size, body.read(piece)); // and not the rest
    TCFDL_TRY(result.write(BytesView(piece).first(size)));
    return result.write(as_bytes("end"));
  }));
  Session session(*server_);
  for (const std::size_t size : {1'000U, 300'000U}) {
    auto call = wanting(&capsule_);
    call.body = Bytes(size, 'z');
    const auto result = exchange(session, call);
    ASSERT_TRUE(result) << result.error().to_string();
    const auto stated = verify(call, *result);
    EXPECT_TRUE(stated) << stated.error().to_string();
    EXPECT_FALSE(verify(call, *result + "x"));
    call.body.pop_back();
    EXPECT_FALSE(verify(call, *result));
  }
}

TEST_F(InstanceReceipts, AreOfSuccessesOnly) {
  start(Handler([](TaskContext&, BytesView body) -> Result<Bytes> {
    if (body.empty()) return Error(Code::kNotFound, "nothing");
    return Bytes();
  }));
  Session session(*server_);
  auto failing = wanting(&capsule_);
  failing.body.clear();
  EXPECT_EQ(exchange(session, failing).error().code(), Code::kNotFound);
  EXPECT_TRUE(failing.output.in_step);
  auto good = wanting(&capsule_);
  ASSERT_TRUE(exchange(session, good));
  EXPECT_TRUE(verify(good, ""));
}

TEST_F(InstanceReceipts, DropWordsThatAreNoWay) {
  start_echo();
  Session session(*server_);
  auto call = wanting(&capsule_);
  call.header.set_claimed_route("proven by me");
  ASSERT_TRUE(exchange(session, call));
  EXPECT_EQ(verify(call, "hello")->claimed_route().way(), "");
}

TEST_F(InstanceReceipts, AreRefusedWhereThereIsNoDescriptor) {
  settings_.descriptor.Clear();
  start_echo();
  Session session(*server_);
  auto call = wanting(&capsule_);
  EXPECT_EQ(exchange(session, call).error().code(), Code::kFailedPrecondition);
}

TEST_F(InstanceReceipts, MustComeWhenAskedForAndNotOtherwise) {
  for (const bool asked : {true, false}) {
    wire::Pipe pipe;
    InstanceConnection instance;
    instance.connection = std::move(pipe.left);
    instance.proven = true;
    auto call = call_of(anna_, nullptr);
    call.header.set_receipt(asked);
    ResultWriter writer(*pipe.right, call.header, 1, settings_.instance, nullptr, call.deadline);
    if (!asked) writer.announce_receipt();
    ASSERT_TRUE(writer.finish(1));
    const auto result = [&]() -> Result<std::string> {
      wire::LeaseGrant grant;
      grant.set_instance(settings_.instance);
      WholeBody body(call.body);
      WholeResult sink;
      TCFDL_TRY(
          exchange_task(instance, {anna_, grant, call.header, nullptr, 1, call.deadline}, body, sink, call.output));
      return sink.text;
    }();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), Code::kUnauthenticated) << result.error().to_string();
    EXPECT_FALSE(call.output.in_step);
  }
}

} // namespace
} // namespace tcfdl::sdk
