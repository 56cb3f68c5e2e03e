// A real nats-server with two users who may do everything and a guest, for each test.
#pragma once

#include "base/file.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/server.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace tcfdl::message_queue {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline NatsBusSettings settings_for(std::uint16_t port, const std::string& user) {
  NatsBusSettings settings;
  settings.port = port;
  settings.user = user;
  settings.password = user + "-password";
  settings.name = user;
  settings.inbox_prefix = "_INBOX." + user;
  return settings;
}

inline Deadline soon() { return Deadline::after(seconds(20)); }

/// Waits for what other threads bring about; the test fails by its own assertions if it does not come.
template <class Condition> bool eventually(Condition condition) {
  const auto deadline = soon();
  while (!condition()) {
    if (deadline.expired()) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class MessageQueueTest : public testing::Test {
protected:
  void SetUp() override {
    ServerSettings settings;
    settings.state_directory = directory_.path() / "nats";
    settings.port = find_free_port().value();
    settings.users = {
        {"alice", "alice-password", {}, {}},
        {"bob", "bob-password", {}, {}},
        {"guest", "guest-password", {"open.>"}, {"_INBOX.guest.>", "open.>"}},
    };
    server_ = std::make_unique<EmbeddedServer>(settings);
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().to_string();
    alice_ = connect("alice");
    bob_ = connect("bob");
  }

  std::unique_ptr<NatsBus> connect(const std::string& user) {
    auto bus = NatsBus::connect(settings_for(server_->settings().port, user));
    EXPECT_TRUE(bus) << bus.error().to_string();
    return bus ? std::move(*bus) : nullptr;
  }

  void kill_server() {
    const auto restarts = server_->restarts();
    ASSERT_EQ(::kill(server_->pid(), SIGKILL), 0);
    ASSERT_TRUE(eventually([&] { return server_->restarts() > restarts && server_->pid() != 0; }));
    ASSERT_TRUE(eventually([&] { return alice_->connected() && bob_->connected(); }));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<EmbeddedServer> server_;
  std::unique_ptr<NatsBus> alice_;
  std::unique_ptr<NatsBus> bob_;
};

} // namespace tcfdl::message_queue
