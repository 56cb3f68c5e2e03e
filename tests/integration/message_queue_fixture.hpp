// A real nats-server with two users who may do everything and a guest, for each test.
#pragma once

#include "base/file.hpp"
#include "base/reserved_port.hpp"
#include "message_queue/local_trust.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/server.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace tcfdl::message_queue {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline NatsBusSettings settings_for(std::uint16_t port, const std::string& user,
                                    std::shared_ptr<const UserCredential> credential) {
  NatsBusSettings settings;
  settings.port = port;
  settings.credential = std::move(credential);
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
    settings.port = port_.number();
    settings.trust = trust_.trust().value();
    server_ = std::make_unique<EmbeddedServer>(settings);
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().to_string();
    alice_ = connect("alice");
    bob_ = connect("bob");
  }

  [[nodiscard]] NatsBusSettings settings_of(const std::string& user) const {
    const Permissions guest{.publish = {"open.>"}, .subscribe = {"_INBOX.guest.>", "open.>"}, .answers = true};
    return settings_for(server_->settings().port, user,
                        trust_.user(user, user == "guest" ? guest : every_permission()).value());
  }

  std::unique_ptr<NatsBus> connect(const std::string& user) {
    auto bus = NatsBus::connect(settings_of(user));
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
  ReservedPort port_ = ReservedPort::pick().value();
  LocalTrust trust_;
  std::unique_ptr<EmbeddedServer> server_;
  std::unique_ptr<NatsBus> alice_;
  std::unique_ptr<NatsBus> bob_;
};

} // namespace tcfdl::message_queue
