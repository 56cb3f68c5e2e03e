#include "wire/proxy_line.hpp"

#include "crypto/random.hpp"
#include "wire/tests/pipe.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Deadline soon() { return Deadline::after(seconds(20)); }

/// One side on a thread of its own; the other one is the test's.
class ProxyLines : public testing::Test {
protected:
  auto daemon() {
    return std::async(std::launch::async, [this] { return admit_line(*pipe_.right, secret_, soon()); });
  }
  auto proxy(ProxyLine line) {
    return std::async(std::launch::async, [this, line] { return prove_line(*pipe_.left, line, secret_, soon()); });
  }
  void say(BytesView payload, FrameKind kind = FrameKind::kMessage) {
    ASSERT_TRUE(pipe_.left->send(kind, payload, soon()));
  }
  Bytes hear(Connection& connection) {
    Bytes payload;
    EXPECT_TRUE(connection.receive(payload, soon()));
    return payload;
  }
  static Bytes hello(std::uint8_t line) {
    Bytes payload(33, 7);
    payload.front() = line;
    return payload;
  }

  const LineSecret secret_ = crypto::random_secret<kLineSecretSize>();
  Pipe pipe_;
};

TEST_F(ProxyLines, BothSidesAgreeWhichLineItIs) {
  for (const auto line : {ProxyLine::kCommands, ProxyLine::kEvents, ProxyLine::kAuthority}) {
    pipe_ = Pipe();
    auto admitted = daemon();
    const auto proved = prove_line(*pipe_.left, line, secret_, soon());
    EXPECT_TRUE(proved) << proved.error().to_string();
    EXPECT_EQ(admitted.get().value(), line);
  }
}

TEST_F(ProxyLines, WhatFollowsTheProofIsNotLost) {
  auto admitted = daemon();
  ASSERT_TRUE(prove_line(*pipe_.left, ProxyLine::kEvents, secret_, soon()));
  say(as_bytes("first event"));
  ASSERT_TRUE(admitted.get());
  EXPECT_EQ(as_text(hear(*pipe_.right)), "first event");
}

TEST_F(ProxyLines, AProxyWithAnotherSecretIsRefused) {
  auto admitted = daemon();
  const auto other = crypto::random_secret<kLineSecretSize>();
  const auto proved = prove_line(*pipe_.left, ProxyLine::kCommands, other, soon());
  ASSERT_FALSE(proved); // it does not believe the daemon either
  EXPECT_EQ(proved.error().code(), Code::kUnauthenticated);
  say(Bytes(32, 1));
  const auto refused = admitted.get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(refused.error().message(), HasSubstr("does not know the secret"));
}

TEST_F(ProxyLines, ADaemonWithAnotherSecretGetsNoProof) {
  auto proved = proxy(ProxyLine::kCommands);
  ASSERT_EQ(hear(*pipe_.right).size(), 33U);
  ASSERT_TRUE(pipe_.right->send(FrameKind::kMessage, Bytes(64, 1), soon()));
  EXPECT_EQ(proved.get().error().code(), Code::kUnauthenticated);
  pipe_.left->shutdown();
  Bytes payload;
  EXPECT_FALSE(pipe_.right->receive(payload, soon()));
}

TEST_F(ProxyLines, AReplayedProofIsRefused) {
  auto proved = proxy(ProxyLine::kCommands);
  Pipe listened; // in between: notes what the proxy says
  auto admitted = std::async(std::launch::async, [&] { return admit_line(*listened.right, secret_, soon()); });
  const auto said_hello = hear(*pipe_.right);
  ASSERT_TRUE(listened.left->send(FrameKind::kMessage, said_hello, soon()));
  ASSERT_TRUE(pipe_.right->send(FrameKind::kMessage, hear(*listened.left), soon()));
  const auto said_proof = hear(*pipe_.right);
  ASSERT_TRUE(listened.left->send(FrameKind::kMessage, said_proof, soon()));
  ASSERT_TRUE(proved.get());
  ASSERT_TRUE(admitted.get());

  pipe_ = Pipe();
  auto again = daemon();
  say(said_hello);
  hear(*pipe_.left);
  say(said_proof);
  EXPECT_EQ(again.get().error().code(), Code::kUnauthenticated);
}

TEST_F(ProxyLines, TheDaemonsOwnProofIsNoneOfAProxy) {
  auto admitted = daemon();
  say(hello(1));
  const auto answer = hear(*pipe_.left);
  ASSERT_EQ(answer.size(), 64U);
  say(BytesView(answer).last(32));
  EXPECT_EQ(admitted.get().error().code(), Code::kUnauthenticated);
}

TEST_F(ProxyLines, AProofIsForOneLineOnly) {
  auto proved = proxy(ProxyLine::kEvents);
  Pipe changed;
  auto admitted = std::async(std::launch::async, [&] { return admit_line(*changed.right, secret_, soon()); });
  auto said = hear(*pipe_.right);
  said.front() = static_cast<std::uint8_t>(ProxyLine::kCommands);
  ASSERT_TRUE(changed.left->send(FrameKind::kMessage, said, soon()));
  ASSERT_TRUE(pipe_.right->send(FrameKind::kMessage, hear(*changed.left), soon()));
  EXPECT_EQ(proved.get().error().code(), Code::kUnauthenticated);
  changed.left->shutdown();
  EXPECT_FALSE(admitted.get());
}

TEST_F(ProxyLines, RefusesWhatHasNotTheFormOfAHello) {
  const std::vector<Bytes> bad{{}, Bytes(32, 1), Bytes(34, 1), hello(0), hello(4), hello(255)};
  for (const auto& payload : bad) {
    pipe_ = Pipe();
    auto admitted = daemon();
    say(payload);
    EXPECT_EQ(admitted.get().error().code(), Code::kUnauthenticated) << payload.size();
  }
  pipe_ = Pipe();
  auto admitted = daemon();
  say(hello(1), FrameKind::kSegment);
  EXPECT_EQ(admitted.get().error().code(), Code::kUnauthenticated);
}

TEST_F(ProxyLines, RefusesAProofThatIsCutShort) {
  auto admitted = daemon();
  say(hello(1));
  hear(*pipe_.left);
  say(Bytes(31, 1));
  EXPECT_EQ(admitted.get().error().code(), Code::kUnauthenticated);
}

TEST_F(ProxyLines, WhoGoesAwayOrIsSilentHoldsNobodyUp) {
  pipe_.left->shutdown();
  EXPECT_EQ(admit_line(*pipe_.right, secret_, soon()).error().code(), Code::kUnavailable);
  pipe_ = Pipe();
  EXPECT_EQ(admit_line(*pipe_.right, secret_, Deadline::after(milliseconds(1))).error().code(),
            Code::kDeadlineExceeded);
}

} // namespace
} // namespace tcfdl::wire
