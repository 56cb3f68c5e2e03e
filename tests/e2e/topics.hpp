// A topic of a platform: its messages published and received.
#pragma once

#include "support/platform.hpp"

#include <gtest/gtest.h>
#include <mutex>
#include <tcfdl/topics.hpp>

namespace tcfdl::test {

inline constexpr const char* kTopic = "plates/seen";

/// A platform, and a client of its topics.
class Topics : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    client_ = TopicClient::connect("local").value();
  }
  void create(const std::vector<std::string>& more = {}) {
    std::vector<std::string> command{"topic", "create", kTopic};
    command.insert(command.end(), more.begin(), more.end());
    const auto made = platform_.tcfdl(command);
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }
  Published publish(const std::string& body, const PublishOptions& options = {}) {
    const auto published = client_->publish(kTopic, as_bytes(body), options);
    EXPECT_TRUE(published) << published.error().to_string();
    return published.value_or(Published());
  }
  /// What is handled, in its order; the handler says what it makes of each.
  struct Received {
    std::mutex mutex;
    std::vector<ReceivedMessage> messages; // guarded by mutex
    std::size_t count() {
      const std::scoped_lock lock(mutex);
      return messages.size();
    }
    std::vector<std::string> bodies() {
      const std::scoped_lock lock(mutex);
      std::vector<std::string> all;
      for (const auto& each : messages) all.emplace_back(as_text(each.body));
      return all;
    }
  };
  std::unique_ptr<TopicSubscription> subscribe(Received& received, SubscribeOptions options = {},
                                               std::function<Status(const ReceivedMessage&)> judge = {}) {
    auto subscription = client_->subscribe(
        kTopic,
        [&received, judge](const ReceivedMessage& message) -> Status {
          {
            const std::scoped_lock lock(received.mutex);
            received.messages.push_back(message);
          }
          return judge ? judge(message) : Status();
        },
        options);
    EXPECT_TRUE(subscription) << subscription.error().to_string();
    return subscription ? std::move(*subscription) : nullptr;
  }
  SubscribeOptions from_first(const std::string& name = "default") {
    SubscribeOptions options;
    options.name = name;
    options.from_sequence = 1;
    return options;
  }
  std::filesystem::path master_state() { return platform_.state() / "nodes" / "local-master"; }
  std::vector<pid_t> queue() { return platform_.pids("nats-server", "local-master"); }
  SubscriptionState state_of(const std::string& name = "default") {
    const auto all = client_->subscriptions(kTopic);
    EXPECT_TRUE(all) << all.error().to_string();
    for (const auto& each : all.value_or(std::vector<SubscriptionState>())) {
      if (each.name == name) return each;
    }
    return {};
  }

  Platform platform_;
  std::unique_ptr<TopicClient> client_;
};

} // namespace tcfdl::test
