#include "topics/tests/fakes.hpp"

#include <future>

namespace tcfdl::topics {
namespace {

using std::chrono::milliseconds;

class TopicsTest : public WithJournal {
protected:
  TopicsTest() { start(); }
  ~TopicsTest() override { topics_.reset(); }

  void start(const std::string& boot = "one") {
    topics_.reset();
    topics_ = std::make_unique<Topics>(
        TopicsSettings{.boot = boot, .look_after_every = milliseconds(5), .look_again_every = milliseconds(5)},
        *journal_, logs_);
    ASSERT_TRUE(topics_->start());
  }
  void make(const std::function<void(wire::TopicPolicy&)>& change = {}) {
    const auto [statement, descriptor] = topic(change);
    ASSERT_TRUE(topics_->put(statement, descriptor));
    ASSERT_TRUE(topics_->subscribe("plates/seen", kWho, {}, false));
  }
  void publish(const std::string& id) {
    const auto [header, published] = message(id);
    ASSERT_TRUE(topics_->publish("key", header, published));
  }
  /// The next messages; waits for one at least.
  std::vector<wire::TopicDelivery> fetch(std::size_t most = 10, milliseconds wait = milliseconds(20'000)) {
    const auto fetched = topics_->fetch("plates/seen", kWho, most, wait, {});
    EXPECT_TRUE(fetched) << fetched.error().to_string();
    if (!fetched) return {};
    return {fetched->deliveries().begin(), fetched->deliveries().end()};
  }
  std::vector<std::uint64_t> fetch_all(std::size_t count) {
    std::vector<std::uint64_t> sequences;
    while (sequences.size() < count) {
      const auto some = fetch();
      if (some.empty()) break;
      for (const auto& each : some) sequences.push_back(each.sequence());
    }
    return sequences;
  }
  Status settle(const wire::TopicDelivery& delivery, wire::Settlement settlement = wire::SETTLEMENT_HANDLED) {
    wire::SettleMessage settled;
    settled.mutable_subscription()->set_topic("plates/seen");
    settled.set_sequence(delivery.sequence());
    settled.set_delivery(delivery.delivery());
    settled.set_settlement(settlement);
    return topics_->settle(kWho, settled);
  }
  wire::SubscriptionInfo state() { return topics_->subscriptions("plates/seen", "")->front(); }

  const SubscriptionId kWho{"reader", "s"};
  FakeLogs logs_;
  std::unique_ptr<Topics> topics_;
};

TEST_F(TopicsTest, DeliversUntilItIsSettled) {
  make();
  publish("a");
  const auto first = fetch();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].delivery(), 1U);
  logs_.expire();
  const auto second = fetch();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].delivery(), 2U);
  EXPECT_TRUE(settle(second[0]));
  logs_.expire();
  EXPECT_TRUE(fetch(10, milliseconds(50)).empty());
  EXPECT_EQ(state().settled(), 1U);
}

TEST_F(TopicsTest, EachSubscriptionGetsEachMessage) {
  make();
  const SubscriptionId other{"another", "s"};
  ASSERT_TRUE(topics_->subscribe("plates/seen", other, {}, false));
  publish("a");
  EXPECT_EQ(fetch().size(), 1U);
  EXPECT_EQ(topics_->fetch("plates/seen", other, 10, milliseconds(20'000), {})->deliveries_size(), 1);
}

TEST_F(TopicsTest, AFailedDeliveryComesAgainUntilItIsADeadLetter) {
  make();
  publish("a");
  for (unsigned delivery = 1; delivery <= 3; ++delivery) {
    const auto given = fetch();
    ASSERT_EQ(given.size(), 1U);
    EXPECT_EQ(given[0].delivery(), delivery);
    EXPECT_TRUE(settle(given[0], wire::SETTLEMENT_FAILED));
  }
  EXPECT_TRUE(fetch(10, milliseconds(50)).empty());
  EXPECT_EQ(topics_->dead_letters("plates/seen", kWho)->letters_size(), 1);
}

TEST_F(TopicsTest, AFailureThatIsToldWhileTheMessageIsKeptCounts) {
  make([](auto& policy) { policy.set_most_deliveries(1); });
  publish("a");
  const auto given = fetch();
  ASSERT_EQ(given.size(), 1U);
  std::future<Status> failed;
  logs_.on_keep = [&] {
    failed = std::async(std::launch::async, [&] { return settle(given[0], wire::SETTLEMENT_FAILED); });
    failed.wait_for(milliseconds(200)); // it may wait until the message is kept
  };
  EXPECT_TRUE(settle(given[0], wire::SETTLEMENT_WORKING));
  EXPECT_TRUE(failed.get());
  EXPECT_EQ(topics_->dead_letters("plates/seen", kWho)->letters_size(), 1);
}

TEST_F(TopicsTest, AnAnswerThatComesTooLateSettlesNevertheless) {
  make();
  publish("a");
  const auto first = fetch();
  logs_.expire();
  const auto second = fetch();
  EXPECT_TRUE(settle(first[0], wire::SETTLEMENT_FAILED)); // the second one decides
  EXPECT_EQ(state().waiting(), 1U);
  EXPECT_TRUE(settle(first[0]));
  EXPECT_EQ(state().waiting(), 0U);
  EXPECT_TRUE(settle(second[0]));
}

TEST_F(TopicsTest, AMessageIsAcceptedWhileTheMessageQueueIsAway) {
  make();
  logs_.set_away(true);
  publish("a");
  EXPECT_FALSE(topics_->fetch("plates/seen", kWho, 10, milliseconds(50), {}));
  logs_.set_away(false);
  EXPECT_EQ(fetch_all(1), std::vector<std::uint64_t>{1});
}

TEST_F(TopicsTest, WhatTheMessageQueueLostIsMadeAnew) {
  make();
  for (const auto* id : {"a", "b", "c"}) publish(id);
  const auto given = fetch(1);
  ASSERT_EQ(given.size(), 1U);
  EXPECT_TRUE(settle(given[0]));
  logs_.change([](auto& logs) { logs.clear(); });
  EXPECT_EQ(fetch_all(2), (std::vector<std::uint64_t>{2, 3})); // what was settled does not come again
}

TEST_F(TopicsTest, AGapInTheCopyIsFound) {
  make();
  for (const auto* id : {"a", "b", "c"}) publish(id);
  ASSERT_EQ(fetch_all(3).size(), 3U);
  logs_.change([](auto& logs) { logs.begin()->second.messages.erase(2); });
  const auto before = logs_.names();
  while (logs_.names() == before) std::this_thread::yield(); // ends with the test's time
  const auto again = fetch_all(3);
  EXPECT_EQ(again, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(TopicsTest, AMessageThatWasAlteredInTheCopyIsNotDelivered) {
  make();
  publish("a");
  ASSERT_EQ(fetch_all(1).size(), 1U);
  logs_.change([](auto& logs) {
    for (auto& [name, log] : logs) log.messages.begin()->second = to_bytes("something else");
  });
  logs_.expire();
  const auto again = fetch();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].delivery(), 2U);
  EXPECT_EQ(again[0].message().body(), "b");
}

TEST_F(TopicsTest, AfterARestartOfTheMachineTheCopyIsMadeAnew) {
  make();
  publish("a");
  ASSERT_EQ(fetch_all(1).size(), 1U);
  const auto before = logs_.names();
  start("two");
  const auto again = fetch();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].delivery(), 2U); // it was given before
  EXPECT_NE(logs_.names(), before);
}

TEST_F(TopicsTest, AnotherProcessGoesOnWhereTheLastOneWas) {
  make();
  for (const auto* id : {"a", "b"}) publish(id);
  const auto given = fetch(1);
  EXPECT_TRUE(settle(given[0]));
  start();
  publish("c");
  EXPECT_EQ(fetch_all(2), (std::vector<std::uint64_t>{2, 3}));
}

TEST_F(TopicsTest, ReplaysFromAPosition) {
  make();
  for (const auto* id : {"a", "b"}) publish(id);
  for (const auto& each : fetch()) EXPECT_TRUE(settle(each));
  ASSERT_TRUE(topics_->subscribe("plates/seen", kWho, {.sequence = 2, .stored_ms = {}}, true));
  const auto again = fetch();
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].sequence(), 2U);
}

TEST_F(TopicsTest, TheCopyHasWhatTheJournalKeeps) {
  make([](auto& policy) { policy.set_most_messages(2); });
  for (const auto* id : {"a", "b", "c", "d"}) publish(id);
  const auto size = [&] {
    std::size_t count = 0;
    logs_.change([&](auto& logs) { count = logs.empty() ? 0 : logs.begin()->second.messages.size(); });
    return count;
  };
  while (size() != 2) std::this_thread::yield(); // ends with the test's time
  EXPECT_EQ(fetch_all(2), (std::vector<std::uint64_t>{3, 4}));
}

TEST_F(TopicsTest, WhoWaitsLearnsThatTheTopicIsGone) {
  make();
  std::thread waiting([&] {
    const auto ended = topics_->fetch("plates/seen", kWho, 10, milliseconds(20'000), {});
    EXPECT_EQ(ended.error().code(), Code::kNotFound);
  });
  EXPECT_TRUE(topics_->remove("plates/seen"));
  waiting.join();
}

} // namespace
} // namespace tcfdl::topics
