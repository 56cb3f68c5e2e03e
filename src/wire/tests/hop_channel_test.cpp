#include "wire/hop_channel.hpp"

#include "wire/body.hpp"
#include "wire/tests/hop_world.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class HopChannelTest : public testing::Test {
protected:
  static Deadline soon() { return Deadline::after(seconds(10)); }

  crypto::SigningKey root_ = crypto::SigningKey::generate();
  HopParty caller_{root_, ROLE_CLIENT, "anna"};
  HopParty proxy_{root_, ROLE_PROXY, "node-1/proxy"};
  HopTask task_ = hop_task("018f0000-0000-7000-8000-0000000000aa").value();
  HopTask other_ = hop_task("018f0000-0000-7000-8000-0000000000bb").value();
};

TEST_F(HopChannelTest, StandsAfterAHandshakeOverAConnection) {
  Pipe pipe;
  auto far =
      std::async(std::launch::async, [&] { return answer_hop(*pipe.right, proxy_.identity(), {ROLE_CLIENT}, soon()); });
  const auto near = open_hop(*pipe.left, caller_.identity(), {ROLE_PROXY}, kHopNow, soon());
  ASSERT_TRUE(near) << near.error().to_string();
  const auto other = far.get();
  ASSERT_TRUE(other) << other.error().to_string();
  EXPECT_EQ((*near)->peer().subject(), "node-1/proxy");
  (*near)->begin_task(task_);
  ASSERT_TRUE((*near)->send(FrameKind::kMessage, as_bytes("hello"), soon()));
  Bytes content;
  ASSERT_TRUE((*other)->receive(content, soon()));
  EXPECT_EQ(as_text(content), "hello");
  EXPECT_EQ((*other)->task(), task_);
}

TEST_F(HopChannelTest, SaysWhyItRefuses) {
  const HopParty worker(root_, ROLE_WORKER, "rsu-1");
  Pipe pipe;
  auto far =
      std::async(std::launch::async, [&] { return answer_hop(*pipe.right, proxy_.identity(), {ROLE_CLIENT}, soon()); });
  const auto near = open_hop(*pipe.left, worker.identity(), {ROLE_PROXY}, kHopNow, soon());
  EXPECT_THAT(near.error().message(), HasSubstr("rsu-1 is no subject for this"));
  EXPECT_FALSE(far.get());
}

TEST_F(HopChannelTest, CarriesBodiesBothWaysThatTheCarrierCannotRead) {
  HopPair hop(caller_, proxy_);
  const Bytes body(200'000, 'b');
  hop.near->begin_task(task_);
  auto sent = std::async(std::launch::async, [&]() -> Status {
    TCFDL_TRY(hop.near->send(FrameKind::kMessage, as_bytes("head"), soon()));
    return send_body(*hop.near, std::nullopt, body, soon());
  });
  Bytes head;
  ASSERT_TRUE(hop.far->receive(head, soon()));
  SegmentReader reader(*hop.far, std::nullopt, soon(), 1'000'000);
  EXPECT_TRUE(reader.read_all().value_or(Bytes()) == body);
  EXPECT_TRUE(sent.get());
  ASSERT_TRUE(hop.far->send(FrameKind::kMessage, as_bytes("result"), soon()));
  Bytes result;
  EXPECT_EQ(hop.near->receive(result, soon()).value(), FrameKind::kMessage);
  EXPECT_EQ(hop.near->sealed(), 5U) << "head and four segments";
  EXPECT_EQ(hop.far->opened(), 5U);
}

TEST_F(HopChannelTest, ShowsNoPlaintextToTheCarrier) {
  HopPair hop(caller_, proxy_);
  hop.near->begin_task(task_);
  ASSERT_TRUE(hop.near->send(FrameKind::kMessage, as_bytes("the secret word"), soon()));
  Bytes carried;
  ASSERT_TRUE(hop.pipe.right->receive(carried, soon()));
  EXPECT_THAT(std::string(as_text(carried)), testing::Not(HasSubstr("secret")));
}

TEST_F(HopChannelTest, NoticesABodyThatWasCut) {
  HopPair hop(caller_, proxy_);
  hop.near->begin_task(task_);
  ASSERT_TRUE(hop.near->send(FrameKind::kMessage, as_bytes("head"), soon()));
  ASSERT_TRUE(hop.near->send(FrameKind::kSegment, Bytes(65536), soon()));
  // Whoever carries the frames ends the body after the first segment.
  Bytes content;
  ASSERT_TRUE(hop.far->receive(content, soon()));
  hop.near->shutdown();
  SegmentReader reader(*hop.far, std::nullopt, soon(), 1'000'000);
  EXPECT_FALSE(reader.read_all());
}

TEST_F(HopChannelTest, RefusesASegmentOfAnotherTaskWithinABody) {
  HopPair hop(caller_, proxy_);
  ASSERT_TRUE(hop.near->send_record(FrameKind::kMessage, task_, as_bytes("head"), soon()));
  ASSERT_TRUE(hop.near->send_record(FrameKind::kSegment, other_, as_bytes("foreign"), soon()));
  Bytes content;
  ASSERT_TRUE(hop.far->receive(content, soon()));
  EXPECT_EQ(hop.far->receive(content, soon()).error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(hop.near->send_record(FrameKind::kMessage, task_, {}, soon()) && hop.far->receive(content, soon()))
      << "the hop is over";
}

TEST_F(HopChannelTest, RefusesAResultOfAnotherTask) {
  HopPair hop(caller_, proxy_);
  hop.near->begin_task(task_);
  ASSERT_TRUE(hop.far->send_record(FrameKind::kMessage, other_, as_bytes("result"), soon()));
  Bytes content;
  EXPECT_EQ(hop.near->receive(content, soon()).error().code(), Code::kUnauthenticated);
}

TEST_F(HopChannelTest, RefusesItsOwnRecordsSentBack) {
  HopPair hop(caller_, proxy_);
  ASSERT_TRUE(hop.near->send(FrameKind::kMessage, as_bytes("x"), soon()));
  Bytes carried;
  ASSERT_TRUE(hop.pipe.right->receive(carried, soon()));
  ASSERT_TRUE(hop.pipe.right->send(FrameKind::kMessage, carried, soon()));
  Bytes content;
  EXPECT_EQ(hop.near->receive(content, soon()).error().code(), Code::kUnauthenticated);
}

TEST_F(HopChannelTest, EndsWithTheCertificates) {
  HopPair hop(caller_, proxy_);
  HopInitiator initiator(caller_.identity());
  auto responder = HopResponder::answer(proxy_.identity(), initiator.offer(), {ROLE_CLIENT}, kHopNow);
  Bytes finish;
  auto keys = initiator.finish(responder->message(), {ROLE_PROXY}, kHopNow, finish).value();
  HopChannel expired(*hop.pipe.left, HopChannel::Side::kCaller, std::move(keys), kHopNow + 3600);
  EXPECT_EQ(expired.send(FrameKind::kMessage, as_bytes("x"), soon()).error().code(), Code::kUnauthenticated);
}

TEST_F(HopChannelTest, TellsTheReasonWhyThereIsNoPath) {
  HopPair hop(caller_, proxy_);
  ASSERT_TRUE(answer_route(*hop.far, Error(Code::kPermissionDenied, "no grant"), soon()));
  const auto path = extend_path(*hop.near, HopRoute(), soon());
  EXPECT_EQ(path.error().code(), Code::kPermissionDenied);
  EXPECT_THAT(path.error().message(), HasSubstr("no grant"));
}

} // namespace
} // namespace tcfdl::wire
