// Messages from publishers to subscribers, and what is left of them when processes are killed.
#include "e2e/topics.hpp"
#include "support/search.hpp"

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <set>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST_F(Topics, AMessageReachesEachSubscriptionAndLiesNowhereInTheClear) {
  create();
  const auto published = platform_.tcfdl({"topic", "publish", kTopic}, "needle-in-the-haystack");
  ASSERT_EQ(published.exit_code, 0) << published.err;
  EXPECT_THAT(published.out, testing::StartsWith("1 "));
  for (const auto* name : {"first", "second"}) {
    const auto read =
        platform_.tcfdl({"topic", "subscribe", kTopic, "--subscription", name, "--from", "first", "--count", "1"});
    EXPECT_EQ(read.out, "needle-in-the-haystack\n") << read.err;
  }
  EXPECT_TRUE(files_with(platform_.state(), "needle-in-the-haystack").empty());
  const auto shown = platform_.json({"topic", "show", kTopic});
  EXPECT_EQ(shown["messages"], 1);
  EXPECT_EQ(shown["subscriptions"].size(), 2U);
  EXPECT_EQ(platform_.json({"topic", "list"})["topics"][0]["name"], kTopic);
  EXPECT_EQ(platform_.tcfdl({"topic", "delete", kTopic}).exit_code, 0);
  EXPECT_EQ(client_->publish(kTopic, as_bytes("x")).error().code(), Code::kNotFound);
}

TEST_F(Topics, AHandlerThatFailsGetsTheMessageAgainUntilItIsADeadLetter) {
  create({"--deliveries", "3"});
  Received received;
  const auto subscription = subscribe(received, from_first(), [](const ReceivedMessage& message) -> Status {
    if (as_text(message.body) == "good" || message.delivery > 1) {
      if (as_text(message.body) != "bad") return {};
    }
    return Error(Code::kInternal, "not now");
  });
  publish("good");
  publish("second time");
  const auto bad = publish("bad");
  ASSERT_TRUE(eventually([&] { return state_of().dead == 1; }));
  EXPECT_EQ(state_of().settled, 3U);
  std::map<std::string, std::vector<std::uint32_t>> deliveries;
  for (const auto& each : received.messages) deliveries[std::string(as_text(each.body))].push_back(each.delivery);
  EXPECT_EQ(deliveries["good"], (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(deliveries["second time"], (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(deliveries["bad"], (std::vector<std::uint32_t>{1, 2, 3}));
  const auto dead = client_->dead_messages(kTopic, "default").value();
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].id, bad.id);
  EXPECT_THAT(platform_.tcfdl({"topic", "dead-letters", kTopic}).out, HasSubstr(bad.id));
}

TEST_F(Topics, ARepeatIsOneMessageAndAPositionIsReplayedMarked) {
  create();
  PublishOptions options;
  options.id = "plate 1";
  EXPECT_FALSE(publish("a", options).duplicate);
  const auto again = publish("a", options);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.sequence, 1U);
  EXPECT_EQ(client_->publish(kTopic, as_bytes("b"), options).error().code(), Code::kAlreadyExists);
  publish("b");
  publish("c");
  Received first;
  {
    const auto subscription = subscribe(first, from_first());
    ASSERT_TRUE(eventually([&] { return state_of().settled == 3; }));
  }
  EXPECT_EQ(first.bodies(), (std::vector<std::string>{"a", "b", "c"}));
  Received replayed;
  SubscribeOptions from_second;
  from_second.from_sequence = 2;
  from_second.replay = true;
  const auto subscription = subscribe(replayed, from_second);
  ASSERT_TRUE(eventually([&] { return replayed.count() == 2; }));
  EXPECT_EQ(replayed.bodies(), (std::vector<std::string>{"b", "c"}));
  EXPECT_TRUE(replayed.messages[0].redelivered());
}

TEST_F(Topics, OnlyWhoHasTheGrantPublishesOrSubscribes) {
  create();
  ASSERT_EQ(platform_.enrol("caller").exit_code, 0); // may call every function
  ASSERT_EQ(platform_.enrol("camera", {"publish:plates/*"}).exit_code, 0);
  ASSERT_EQ(platform_.enrol("office", {"subscribe:plates/seen"}).exit_code, 0);
  const auto caller = TopicClient::connect("caller").value();
  const auto camera = TopicClient::connect("camera").value();
  const auto office = TopicClient::connect("office").value();
  const auto refusal = [&](TopicClient& client) {
    const auto subscribed = client.subscribe(kTopic, [](const auto&) { return Status(); });
    return subscribed ? Code{} : subscribed.error().code();
  };
  EXPECT_EQ(caller->publish(kTopic, as_bytes("x")).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(refusal(*caller), Code::kPermissionDenied);
  EXPECT_EQ(office->publish(kTopic, as_bytes("x")).error().code(), Code::kPermissionDenied);
  EXPECT_EQ(refusal(*camera), Code::kPermissionDenied);
  ASSERT_TRUE(camera->publish(kTopic, as_bytes("seen")));
  std::atomic<bool> right = false;
  const auto subscribed = office->subscribe(
      kTopic,
      [&](const ReceivedMessage& message) -> Status {
        right = message.publisher.ends_with("camera") && as_text(message.body) == "seen";
        return {};
      },
      from_first());
  ASSERT_TRUE(subscribed) << subscribed.error().to_string();
  EXPECT_TRUE(eventually([&] { return right.load(); }));
  EXPECT_EQ(state_of().name, ""); // nobody sees what others have subscribed to
}

TEST_F(Topics, UnsealedMessagesReachOnlyWhoTakesThem) {
  create({"--protection", "eae", "none", "--deliveries", "1"});
  PublishOptions open;
  open.protection = Protection::kNone;
  publish("for everybody", open);
  Received strict;
  const auto careful = subscribe(strict, from_first("strict"));
  ASSERT_TRUE(eventually([&] { return state_of("strict").dead == 1; }));
  EXPECT_EQ(strict.count(), 0U);
  Received lax;
  auto options = from_first("lax");
  options.protection = Protection::kNone;
  const auto careless = subscribe(lax, options);
  EXPECT_TRUE(eventually([&] { return lax.bodies() == std::vector<std::string>{"for everybody"}; }));
}

TEST_F(Topics, MessagesOfAnEpochThatWasReplacedOpenStill) {
  create();
  publish("before");
  ASSERT_EQ(platform_.tcfdl({"function", "rotate-key", kTopic}).exit_code, 0);
  client_ = TopicClient::connect("local").value();
  publish("after");
  Received received;
  const auto subscription = subscribe(received, from_first());
  EXPECT_TRUE(eventually([&] { return received.bodies() == std::vector<std::string>{"before", "after"}; }));
}

TEST_F(Topics, WhatPublishersMustSignReachesSubscribersSigned) {
  create({"--sign"});
  publish("signed");
  Received received;
  const auto subscription = subscribe(received, from_first());
  EXPECT_TRUE(eventually([&] { return received.count() == 1; }));
}

TEST_F(Topics, RetentionDropsTheOldest) {
  create({"--messages", "2"});
  for (const auto* body : {"a", "b", "c"}) publish(body);
  Received received;
  const auto subscription = subscribe(received, from_first());
  EXPECT_TRUE(eventually([&] { return received.bodies() == std::vector<std::string>{"b", "c"}; }));
  EXPECT_EQ(platform_.json({"topic", "show", kTopic})["first"], 2);
}

/// Publishes until it is stopped; remembers what was acknowledged.
class Publishing {
public:
  explicit Publishing(const std::string& context) {
    thread_ = std::thread([this, context] {
      const auto client = TopicClient::connect(context).value();
      for (unsigned i = 0; !stop_; ++i) {
        PublishOptions options;
        options.timeout = seconds(60);
        options.id = fmt::format("message {}", i);
        const auto published = client->publish(kTopic, as_bytes(options.id), options);
        if (published) acknowledged_.insert(options.id);
        count_ = acknowledged_.size();
      }
    });
  }
  ~Publishing() { stop(); }
  std::set<std::string> stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return acknowledged_;
  }
  [[nodiscard]] std::size_t count() const { return count_; }

private:
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> count_ = 0;
  std::set<std::string> acknowledged_; // of the thread until it is joined
  std::thread thread_;
};

TEST_F(Topics, NothingAcknowledgedIsLostWhenMasterQueueAndSubscriberAreKilled) {
  create({"--handling", "2s", "--deliveries", "100"});
  const auto log = (platform_.root() / "subscriber.log").string();
  const std::vector<std::string> command{
      Platform::binary("tcfdl"), "--json", "topic", "subscribe", kTopic, "--from", "first"};
  Publishing publishing("local");
  const auto more = [&](std::size_t so_many) {
    const auto before = publishing.count();
    return eventually([&] { return publishing.count() >= before + so_many; });
  };
  std::vector<std::string> logs;
  const auto start_subscriber = [&] {
    logs.push_back(fmt::format("{}.{}", log, logs.size()));
    auto started = std::make_unique<Background>(command, platform_.environment(), logs.back());
    EXPECT_TRUE(
        eventually([&] { return read_text_file(logs.back()).value_or("").find(R"("id")") != std::string::npos; }));
    return started;
  };
  auto subscriber = start_subscriber();
  ASSERT_TRUE(more(20));
  ASSERT_TRUE(platform_.kill_master());
  ASSERT_TRUE(more(20));
  for (const auto pid : queue()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(more(20));
  subscriber->signal(SIGKILL);
  subscriber->wait();
  subscriber = start_subscriber();
  ASSERT_TRUE(more(20));
  const auto acknowledged = publishing.stop();
  EXPECT_TRUE(eventually([&] { return state_of().waiting == 0; })) << state_of().waiting << " wait";
  EXPECT_EQ(state_of().dead, 0U);
  subscriber->signal(SIGTERM);
  subscriber->wait();

  std::map<std::uint64_t, unsigned> unmarked;
  std::set<std::string> handled;
  for (const auto& file : logs) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      const auto message = Json::parse(line, nullptr, false);
      if (!message.is_object() || !message.contains("id")) continue; // of the log, or cut by the kill
      handled.insert(message["id"].get<std::string>());
      if (message["delivery"] == 1) ++unmarked[message["sequence"].get<std::uint64_t>()];
    }
  }
  for (const auto& id : acknowledged) EXPECT_TRUE(handled.contains(id)) << id;
  for (const auto& [sequence, times] : unmarked) EXPECT_EQ(times, 1U) << sequence;
}

/// Overwrites a part of each file of the message queue's streams that holds messages or what the server knows of them.
std::size_t damage(const std::filesystem::path& store, const std::string& ending) {
  std::size_t damaged = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
    if (!entry.is_regular_file() || !entry.path().string().ends_with(ending) ||
        entry.path().string().find("TOPIC_") == std::string::npos) {
      continue;
    }
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<std::streamoff>(entry.file_size());
    file.seekp(size / 3);
    const std::string garbage(static_cast<std::size_t>(std::max<std::streamoff>(size / 3, 1)), 'X');
    file.write(garbage.data(), static_cast<std::streamsize>(garbage.size()));
    ++damaged;
  }
  return damaged;
}

class DamagedTopics : public Topics, public testing::WithParamInterface<std::string> {};

TEST_P(DamagedTopics, AreMadeAnewFromTheJournalAndNothingIsLost) {
  create({"--handling", "2s"});
  for (unsigned i = 0; i < 20; ++i) publish(fmt::format("before {}", i));
  {
    Received some;
    auto options = from_first();
    options.batch = 1;
    const auto subscription = subscribe(some, options, [&](const ReceivedMessage& message) -> Status {
      if (message.sequence <= 5) return {};
      return Error(Code::kCancelled, "later");
    });
    ASSERT_TRUE(eventually([&] { return state_of().settled == 5; }));
  }
  const auto master_was = platform_.master();
  ASSERT_EQ(::kill(master_was, SIGSTOP), 0); // it does not start the server again before the store is damaged
  for (const auto pid : queue()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return std::ranges::none_of(queue(), is_alive); }));
  EXPECT_GT(damage(master_state() / "nats" / "jetstream", GetParam()), 0U);
  ASSERT_EQ(::kill(master_was, SIGCONT), 0);

  for (unsigned i = 0; i < 5; ++i) publish(fmt::format("after {}", i));
  Received rest;
  const auto subscription = subscribe(rest);
  EXPECT_TRUE(eventually([&] { return state_of().waiting == 0; })) << state_of().waiting << " wait";
  const auto end = subscription->wait(std::chrono::milliseconds(0));
  EXPECT_TRUE(end) << end.error().to_string();
  std::set<std::uint64_t> sequences;
  for (const auto& message : rest.messages) {
    sequences.insert(message.sequence);
    const auto expected = message.sequence <= 20 ? fmt::format("before {}", message.sequence - 1)
                                                 : fmt::format("after {}", message.sequence - 21);
    EXPECT_EQ(as_text(message.body), expected);
  }
  EXPECT_EQ(sequences.size(), 20U);
  EXPECT_EQ(*sequences.begin(), 6U) << "what was settled does not come again";
}

INSTANTIATE_TEST_SUITE_P(, DamagedTopics, testing::Values(".blk", "meta.inf", "meta.sum", "o.dat"),
                         [](const auto& damaged) {
                           auto name = damaged.param;
                           std::erase(name, '.');
                           return name;
                         });

TEST_F(Topics, AStoreThatIsGoneIsMadeAnew) {
  create({"--handling", "2s"});
  for (unsigned i = 0; i < 5; ++i) publish(fmt::format("{}", i));
  const auto master_was = platform_.master();
  ASSERT_EQ(::kill(master_was, SIGSTOP), 0);
  for (const auto pid : queue()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return std::ranges::none_of(queue(), is_alive); }));
  std::filesystem::remove_all(master_state() / "nats" / "jetstream");
  ASSERT_EQ(::kill(master_was, SIGCONT), 0);
  Received received;
  const auto subscription = subscribe(received, from_first());
  EXPECT_TRUE(eventually([&] { return received.count() == 5; }));
}

} // namespace
} // namespace tcfdl::test
