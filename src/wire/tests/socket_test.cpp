#include "base/file.hpp"
#include "wire/listener.hpp"
#include "wire/messages.hpp"

#include <atomic>
#include <gtest/gtest.h>
#include <sys/socket.h>

namespace tcfdl::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Both adapters: every test runs over each.
class LocalConnection : public testing::TestWithParam<bool> {
protected:
  Address address() {
    if (GetParam()) return UnixAddress{(directory_.path() / "s").string()};
    return TcpAddress{"127.0.0.1", 0};
  }

private:
  TemporaryDirectory directory_;
};

TEST_P(LocalConnection, EchoesFramesOfEverySizeInOrder) {
  auto listener = Listener::start(address(), {.name = "echo"}, [](Connection& connection) {
    Bytes payload;
    for (;;) {
      const auto kind = connection.receive(payload, Deadline::after(seconds(10)));
      if (!kind || !connection.send(*kind, payload, Deadline::after(seconds(10)))) return;
    }
  });
  ASSERT_TRUE(listener);
  auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
  ASSERT_TRUE(connection);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}, kMaxFrame}) {
    Bytes sent(size, static_cast<std::uint8_t>(size));
    ASSERT_TRUE((*connection)->send(FrameKind::kSegment, sent, Deadline::after(seconds(10))));
    Bytes got;
    ASSERT_EQ((*connection)->receive(got, Deadline::after(seconds(10))).value(), FrameKind::kSegment);
    EXPECT_EQ(got, sent);
  }
}

TEST_P(LocalConnection, ReceiveEndsAtItsDeadlineAndWhenThePeerCloses) {
  auto listener = Listener::start(address(), {.name = "silent"}, [](Connection& connection) {
    Bytes payload;
    (void)connection.receive(payload, Deadline::after(seconds(10)));
  });
  ASSERT_TRUE(listener);
  auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
  ASSERT_TRUE(connection);
  Bytes payload;
  EXPECT_EQ((*connection)->receive(payload, Deadline::after(milliseconds(20))).error().code(), Code::kDeadlineExceeded);
  ASSERT_TRUE((*connection)->send(FrameKind::kMessage, {}, Deadline::after(seconds(5))));
  EXPECT_EQ((*connection)->receive(payload, Deadline::after(seconds(5))).error().code(), Code::kUnavailable);
}

TEST_P(LocalConnection, RefusesRubbishAndOversizedFrames) {
  std::atomic<int> refused = 0;
  {
    auto listener = Listener::start(address(), {.name = "strict"}, [&](Connection& connection) {
      Bytes payload;
      const auto got = connection.receive(payload, Deadline::after(seconds(10)));
      if (!got && got.error().code() == Code::kInvalidArgument) ++refused;
    });
    ASSERT_TRUE(listener);
    for (const auto& rubbish : {Bytes{0, 0, 0, 1, 9, 0}, Bytes{0xFF, 0xFF, 0xFF, 0xFF, 1}}) {
      auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
      ASSERT_TRUE(connection);
      ASSERT_TRUE(write_all((*connection)->descriptor(), rubbish));
      Bytes payload;
      EXPECT_FALSE((*connection)->receive(payload, Deadline::after(seconds(5))));
    }
  }
  EXPECT_EQ(refused, 2);
}

TEST_P(LocalConnection, StopEndsLiveConnections) {
  auto listener = Listener::start(address(), {.name = "stop"}, [](Connection& connection) {
    Bytes payload;
    (void)connection.receive(payload, Deadline::after(seconds(60)));
  });
  ASSERT_TRUE(listener);
  auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
  ASSERT_TRUE(connection);
  (*listener)->stop();
  Bytes payload;
  EXPECT_EQ((*connection)->receive(payload, Deadline::after(seconds(5))).error().code(), Code::kUnavailable);
}

INSTANTIATE_TEST_SUITE_P(Adapters, LocalConnection, testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "Unix" : "Tcp"; });

TEST(ListenOn, RefusesAddressesOtherThanLoopback) {
  const auto refused = listen_on(TcpAddress{"0.0.0.0", 0}, Exposure::kLoopback);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
}

TEST(Connect, NamesTheAddressThatDoesNotAnswer) {
  const auto refused = connect(UnixAddress{"/nonexistent/s"}, Deadline::after(seconds(1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_NE(refused.error().message().find("/nonexistent/s"), std::string::npos);
}

} // namespace
} // namespace tcfdl::wire
