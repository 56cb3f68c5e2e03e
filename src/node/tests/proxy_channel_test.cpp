#include "node/proxy_channel.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/random.hpp"
#include "wire/proxy_line.hpp"

#include <array>
#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <sys/wait.h>

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using wire::ProxyLine;

Deadline soon() { return Deadline::after(seconds(20)); }

/// A process that lives until the test ends it.
class ProxyChannelTest : public testing::Test {
protected:
  void SetUp() override {
    auto process = start_process({.command = {"/bin/sleep", "600"}, .environment = {}, .log = {}});
    ASSERT_TRUE(process) << process.error().to_string();
    process_ = *std::move(process);
  }
  void TearDown() override {
    if (process_.pid > 0) end_process(process_, milliseconds(0));
  }

  HostProcess process_;
};

/// As the proxy connects, from this process.
class LoopbackLinesTest : public ProxyChannelTest {
protected:
  void SetUp() override {
    ProxyChannelTest::SetUp();
    channel_ = loopback_lines().value();
    for (const auto& variable : channel_->environment()) {
      const auto value = variable.substr(variable.find('=') + 1);
      if (variable.starts_with("TCFDL_DAEMON=")) daemon_ = wire::parse_address(value).value();
      if (variable.starts_with("TCFDL_DAEMON_SECRET=")) {
        const auto bytes = from_base64url(value).value();
        secret_ = wire::LineSecret::copy_of(std::span<const std::uint8_t, wire::kLineSecretSize>(bytes));
      }
    }
  }
  std::unique_ptr<wire::SocketConnection> connect() { return wire::connect(daemon_, soon()).value(); }
  /// A connection that has shown that it is that line.
  std::unique_ptr<wire::SocketConnection> line(ProxyLine which) {
    auto connection = connect();
    EXPECT_TRUE(wire::prove_line(*connection, which, secret_, soon()));
    return connection;
  }
  auto take(Deadline deadline = soon()) {
    return std::async(std::launch::async, [this, deadline] { return channel_->take(process_, deadline); });
  }

  std::unique_ptr<ProxyChannel> channel_;
  wire::Address daemon_;
  wire::LineSecret secret_;
};

/// Whether what is said on the one is heard on the other.
bool joined(wire::Connection& near, wire::Connection& far) {
  Bytes heard;
  return near.send(wire::FrameKind::kMessage, as_bytes("here"), soon()) && far.receive(heard, soon()) &&
         as_text(heard) == "here";
}

TEST_F(LoopbackLinesTest, EachLineIsInItsPlaceWhateverTheOrder) {
  auto taken = take();
  const auto authority = line(ProxyLine::kAuthority);
  const auto commands = line(ProxyLine::kCommands);
  const auto events = line(ProxyLine::kEvents);
  const auto lines = taken.get();
  ASSERT_TRUE(lines) << lines.error().to_string();
  EXPECT_TRUE(joined(*lines->commands, *commands));
  EXPECT_TRUE(joined(*events, *lines->events));
  EXPECT_TRUE(joined(*authority, *lines->authority));
}

TEST_F(LoopbackLinesTest, WhoDoesNotKnowTheSecretGetsNoLine) {
  auto taken = take();
  const auto stranger = connect();
  const auto other = crypto::random_secret<wire::kLineSecretSize>();
  EXPECT_FALSE(wire::prove_line(*stranger, ProxyLine::kCommands, other, soon()));
  ASSERT_TRUE(stranger->send(wire::FrameKind::kMessage, Bytes(32, 1), soon()));
  Bytes payload;
  EXPECT_FALSE(stranger->receive(payload, soon())); // it is hung up
  const auto commands = line(ProxyLine::kCommands);
  const auto events = line(ProxyLine::kEvents);
  const auto authority = line(ProxyLine::kAuthority);
  const auto lines = taken.get();
  ASSERT_TRUE(lines) << lines.error().to_string();
  EXPECT_TRUE(joined(*lines->commands, *commands));
}

/// Which of the two is the first at the daemon is the daemon's to see: the other is hung up.
TEST_F(LoopbackLinesTest, ASecondConnectionForALineIsRefused) {
  auto taken = take();
  const std::array both{line(ProxyLine::kCommands), line(ProxyLine::kCommands)};
  const auto hears = [](wire::Connection& connection) {
    Bytes payload;
    return connection.receive(payload, soon()) && as_text(payload) == "here";
  };
  auto one = std::async(std::launch::async, [&] { return hears(*both[0]); });
  const auto events = line(ProxyLine::kEvents);
  const auto authority = line(ProxyLine::kAuthority);
  const auto lines = taken.get();
  ASSERT_TRUE(lines) << lines.error().to_string();
  ASSERT_TRUE(lines->commands->send(wire::FrameKind::kMessage, as_bytes("here"), soon()));
  const bool other = hears(*both[1]);
  EXPECT_NE(one.get(), other);
}

TEST_F(LoopbackLinesTest, ManyWhoConnectAndAreSilentDoNotKeepTheProxyOut) {
  auto taken = take();
  std::vector<std::unique_ptr<wire::SocketConnection>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(connect());
  const auto commands = line(ProxyLine::kCommands);
  const auto events = line(ProxyLine::kEvents);
  const auto authority = line(ProxyLine::kAuthority);
  EXPECT_TRUE(taken.get());
}

TEST_F(LoopbackLinesTest, NobodyConnectsOnceTheLinesAreTaken) {
  auto taken = take();
  const auto commands = line(ProxyLine::kCommands);
  const auto events = line(ProxyLine::kEvents);
  const auto authority = line(ProxyLine::kAuthority);
  ASSERT_TRUE(taken.get());
  channel_.reset();
  EXPECT_FALSE(wire::connect(daemon_, soon()));
}

TEST_F(LoopbackLinesTest, AProcessThatEndsBeforeIsAnErrorAtOnce) {
  auto taken = take();
  const auto commands = line(ProxyLine::kCommands);
  ::kill(process_.pid, SIGKILL);
  EXPECT_EQ(taken.get().error().code(), Code::kUnavailable);
  Bytes payload;
  EXPECT_FALSE(commands->receive(payload, soon())); // nothing is left half open
}

TEST_F(LoopbackLinesTest, TheWaitHasAnEnd) {
  EXPECT_EQ(take(Deadline::after(milliseconds(1))).get().error().code(), Code::kDeadlineExceeded);
}

TEST(InheritedLines, AreDescriptorsThreeToFiveOfTheProcess) {
  auto channel = inherited_lines().value();
  // Says on each descriptor which one it is.
  ProcessOrder order{.command = {"/bin/sh", "-c", "for fd in 3 4 5; do printf '\\0\\0\\0\\001\\001%s' $fd >&$fd; done"},
                     .environment = channel->environment()};
  order.prepare = [&channel] { channel->hand_over(); };
  const auto process = start_process(order).value();
  const auto lines = channel->take(process, soon());
  ASSERT_TRUE(lines);
  Bytes heard;
  ASSERT_TRUE(lines->commands->receive(heard, soon()));
  EXPECT_EQ(as_text(heard), "3");
  ASSERT_TRUE(lines->events->receive(heard, soon()));
  EXPECT_EQ(as_text(heard), "4");
  ASSERT_TRUE(lines->authority->receive(heard, soon()));
  EXPECT_EQ(as_text(heard), "5");
  EXPECT_FALSE(lines->commands->receive(heard, soon())); // its end shows here
  EXPECT_TRUE(await_end(process, soon()));
  EXPECT_EQ(end_process(process, seconds(1)), 0);
}

TEST_F(ProxyChannelTest, AProcessHasTheOrdersVariablesInPlaceOfTheDaemons) {
  TemporaryDirectory directory;
  ::setenv("TCFDL_TEST_KEPT", "kept", 1);
  ::setenv("TCFDL_TEST_SET", "before", 1);
  const auto process = start_process({.command = {"/bin/sh", "-c", "echo $TCFDL_TEST_KEPT $TCFDL_TEST_SET"},
                                      .environment = {"TCFDL_TEST_SET=after"},
                                      .log = directory.path() / "log"})
                           .value();
  ASSERT_TRUE(await_end(process, soon()));
  EXPECT_EQ(end_process(process, seconds(1)), 0);
  EXPECT_EQ(read_text_file(directory.path() / "log").value(), "kept after\n");
}

TEST_F(ProxyChannelTest, AProcessThatIgnoresItsEndIsKilled) {
  const auto deaf =
      start_process(
          {.command = {"/bin/sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"}, .environment = {}, .log = {}})
          .value();
  const auto status = end_process(deaf, milliseconds(1));
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(ProxyChannelTest, AProgramThatCannotBeExecutedEndsWith127) {
  const auto process = start_process({.command = {"/nowhere/program"}, .environment = {}, .log = {}});
  ASSERT_TRUE(process);
  EXPECT_TRUE(await_end(*process, soon()));
  const auto status = end_process(*process, seconds(1));
  EXPECT_EQ(WEXITSTATUS(status), 127);
}

} // namespace
} // namespace tcfdl::node
