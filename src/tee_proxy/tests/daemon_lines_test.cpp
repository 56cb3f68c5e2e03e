#include "tee_proxy/daemon_lines.hpp"

#include "base/encoding.hpp"
#include "base/guarded.hpp"
#include "crypto/random.hpp"
#include "wire/listener.hpp"
#include "wire/proxy_line.hpp"

#include <cstdlib>
#include <gmock/gmock.h>
#include <set>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

/// A daemon that notes which lines come, in the environment of this process.
class DaemonLinesTest : public testing::Test {
protected:
  void TearDown() override {
    ::unsetenv("TCFDL_DAEMON");
    ::unsetenv("TCFDL_DAEMON_SECRET");
  }
  void listen(const wire::LineSecret& known) {
    auto listener = wire::Listener::start(wire::TcpAddress{"127.0.0.1", 0}, {.name = "daemon"},
                                          [this, &known](wire::Connection& connection) {
                                            const auto line = wire::admit_line(connection, known, deadline());
                                            if (line) lines_.with([&](auto& lines) { lines.push_back(*line); });
                                          });
    ASSERT_TRUE(listener) << listener.error().to_string();
    listener_ = *std::move(listener);
    ::setenv("TCFDL_DAEMON", wire::to_string(listener_->address()).c_str(), 1);
  }
  void know(const wire::LineSecret& secret) { ::setenv("TCFDL_DAEMON_SECRET", to_base64url(secret.span()).c_str(), 1); }
  static Deadline deadline() { return Deadline::after(seconds(20)); }

  const wire::LineSecret secret_ = crypto::random_secret<wire::kLineSecretSize>();
  Guarded<std::vector<wire::ProxyLine>> lines_;
  std::unique_ptr<wire::Listener> listener_;
};

TEST_F(DaemonLinesTest, ConnectsEachLineToTheDaemonThatIsNamed) {
  listen(secret_);
  know(secret_);
  const auto lines = find_daemon();
  ASSERT_TRUE(lines) << lines.error().to_string();
  listener_->stop(); // and joins
  EXPECT_THAT(lines_.with([](const auto& seen) { return std::set(seen.begin(), seen.end()); }),
              ElementsAre(wire::ProxyLine::kCommands, wire::ProxyLine::kEvents, wire::ProxyLine::kAuthority));
}

TEST_F(DaemonLinesTest, TheSecretDoesNotStayInTheEnvironment) {
  listen(secret_);
  know(secret_);
  ASSERT_TRUE(find_daemon());
  EXPECT_EQ(std::getenv("TCFDL_DAEMON_SECRET"), nullptr);
}

TEST_F(DaemonLinesTest, SomebodyElseAtTheDaemonsAddressIsNotBelieved) {
  const auto other = crypto::random_secret<wire::kLineSecretSize>();
  listen(other);
  know(secret_);
  const auto lines = find_daemon();
  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(lines.error().message(), HasSubstr("the line for commands"));
}

TEST_F(DaemonLinesTest, SaysWhatIsWrongWithTheSecret) {
  listen(secret_);
  EXPECT_THAT(find_daemon().error().message(), HasSubstr("TCFDL_DAEMON_SECRET is not set"));
  for (const auto* text : {"", "AAAA", "no base64url!"}) {
    ::setenv("TCFDL_DAEMON_SECRET", text, 1);
    const auto lines = find_daemon();
    ASSERT_FALSE(lines);
    EXPECT_EQ(lines.error().code(), Code::kInvalidArgument) << text;
    EXPECT_EQ(lines.error().message().find("no base64url!"), std::string::npos);
  }
}

TEST_F(DaemonLinesTest, NobodyThereIsAnError) {
  listen(secret_);
  know(secret_);
  listener_.reset();
  EXPECT_EQ(find_daemon().error().code(), Code::kUnavailable);
}

} // namespace
} // namespace tcfdl::tee_proxy
