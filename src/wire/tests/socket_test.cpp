#include "base/file.hpp"
#include "wire/listener.hpp"
#include "wire/messages.hpp"

#include <atomic>
#include <future>
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

TEST_P(LocalConnection, SendsAFrameWithTheNextOne) {
  std::promise<std::vector<std::size_t>> received;
  auto listener = Listener::start(address(), {.name = "sink"}, [&](Connection& connection) {
    Bytes payload;
    std::vector<std::size_t> sizes;
    while (connection.receive(payload, Deadline::after(seconds(10)))) sizes.push_back(payload.size());
    received.set_value(sizes);
  });
  ASSERT_TRUE(listener);
  auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
  ASSERT_TRUE(connection);
  const auto send = [&](auto how, std::size_t size) {
    const Bytes payload(size, 1);
    EXPECT_TRUE(((**connection).*how)(FrameKind::kMessage, payload, Deadline::after(seconds(5))));
  };
  send(&Connection::send_with_next, 100);
  send(&Connection::send_with_next, 200);
  send(&Connection::send, 70'000);
  send(&Connection::send_with_next, 500'000); // too large to be kept
  send(&Connection::send, 1);
  send(&Connection::send_with_next, 7); // nothing follows
  (*connection)->shutdown();
  EXPECT_EQ(received.get_future().get(), (std::vector<std::size_t>{100, 200, 70'000, 500'000, 1}));
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

TEST_P(LocalConnection, ReceiveGoesOnAfterADeadlineWithinAFrame) {
  std::promise<void> missed;
  auto listener = Listener::start(address(), {.name = "slow"}, [&](Connection& connection) {
    const Bytes frame{0, 0, 0, 3, 1, 'a', 'b', 'c', 0, 0, 0, 1, 1, 'd'};
    (void)write_all(connection.descriptor(), BytesView(frame).first(6));
    missed.get_future().wait();
    (void)write_all(connection.descriptor(), BytesView(frame).subspan(6));
    Bytes payload;
    (void)connection.receive(payload, Deadline::after(seconds(20)));
  });
  ASSERT_TRUE(listener);
  auto connection = connect((*listener)->address(), Deadline::after(seconds(5)));
  ASSERT_TRUE(connection);
  Bytes payload;
  EXPECT_EQ((*connection)->receive(payload, Deadline::after(milliseconds(20))).error().code(), Code::kDeadlineExceeded);
  missed.set_value();
  ASSERT_TRUE((*connection)->receive(payload, Deadline::after(seconds(20))));
  EXPECT_EQ(payload, to_bytes("abc"));
  ASSERT_TRUE((*connection)->receive(payload, Deadline::after(seconds(20))));
  EXPECT_EQ(payload, to_bytes("d"));
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
