// Messages from publishers to subscribers, and what is left of them when processes are killed.
#include "support/platform.hpp"
#include "support/search.hpp"

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <mutex>
#include <set>
#include <tcfdl/topics.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kTopic = "plates/seen";

class Topics : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ::setenv("TCFDL_CONTEXT_DIR", platform_.environment().at("TCFDL_CONTEXT_DIR").c_str(), 1);
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
  pid_t master() {
    const auto ready = platform_.ready("local-master");
    return ready.is_object() ? ready.value("pid", 0) : 0;
  }
  void kill_master() {
    const auto pid = master();
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    ASSERT_TRUE(eventually([&] { return !is_alive(pid) && master() != 0 && master() != pid; }));
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
  kill_master();
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
  const auto master_was = master();
  ASSERT_EQ(::kill(master_was, SIGSTOP), 0); // it does not start the server again before the store is damaged
  for (const auto pid : queue()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return std::ranges::none_of(queue(), is_alive); }));
  EXPECT_GT(damage(master_state() / "nats" / "jetstream", GetParam()), 0U);
  ASSERT_EQ(::kill(master_was, SIGCONT), 0);

  for (unsigned i = 0; i < 5; ++i) publish(fmt::format("after {}", i));
  Received rest;
  const auto subscription = subscribe(rest);
  EXPECT_TRUE(eventually([&] { return state_of().waiting == 0; })) << state_of().waiting << " wait";
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
  const auto master_was = master();
  ASSERT_EQ(::kill(master_was, SIGSTOP), 0);
  for (const auto pid : queue()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return std::ranges::none_of(queue(), is_alive); }));
  std::filesystem::remove_all(master_state() / "nats" / "jetstream");
  ASSERT_EQ(::kill(master_was, SIGCONT), 0);
  Received received;
  const auto subscription = subscribe(received, from_first());
  EXPECT_TRUE(eventually([&] { return received.count() == 5; }));
}

/// Functions that write to their log what they were given, and fail until a delivery.
class TopicTriggers : public Topics {
protected:
  /// `script`: of `sh`, with the message on its standard input.
  Finished deploy_script(const std::string& name, const std::string& script, const std::string& more = {}) {
    const auto file = platform_.root() / (name + ".yaml");
    std::ofstream(file) << fmt::format("name: {}\nversion: 1\ncommand: [tcfdl-exec, once, --, /bin/sh, -c, {}]\n"
                                       "triggers: {{topics: [{}]}}\n{}",
                                       name, Json(script).dump(), kTopic, more);
    return platform_.tcfdl({"function", "deploy", file.string()});
  }
  std::string logs(const std::string& name) { return platform_.tcfdl({"function", "logs", name}).out; }
  Json subscription_of(const std::string& function) {
    const auto shown = platform_.json({"topic", "show", kTopic});
    for (const auto& each : shown.value("subscriptions", Json::array())) {
      if (each["owner"] == "function:" + function) return each;
    }
    return nullptr;
  }
  bool is_subscribed(const std::string& function) {
    return eventually([&] { return !subscription_of(function).is_null(); });
  }
  bool has_settled(const std::string& function, std::uint64_t sequence) {
    return eventually([&] {
      const auto found = subscription_of(function);
      return found.is_object() && found["settled"] == sequence;
    });
  }
};

constexpr const char* kTells = "echo \"got $TCFDL_TOPIC $TCFDL_MESSAGE_SEQUENCE $TCFDL_DELIVERY $(cat)\" >&2";

TEST_F(TopicTriggers, EachMessageRunsTheFunctionUntilItSucceeds) {
  create();
  const auto deployed = deploy_script("reader", std::string(kTells) + "; test \"$TCFDL_DELIVERY\" -gt 1");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  ASSERT_TRUE(is_subscribed("reader"));
  publish("first");
  publish("second");
  EXPECT_TRUE(has_settled("reader", 2));
  const auto log = logs("reader");
  EXPECT_THAT(log, HasSubstr("got plates/seen 1 1 first"));
  EXPECT_THAT(log, HasSubstr("got plates/seen 1 2 first"));
  EXPECT_THAT(log, HasSubstr("got plates/seen 2 2 second"));
  EXPECT_EQ(subscription_of("reader")["dead"], 0);
  ASSERT_EQ(platform_.tcfdl({"function", "remove", "reader"}).exit_code, 0);
  EXPECT_TRUE(eventually([&] { return subscription_of("reader").is_null(); }));
}

TEST_F(TopicTriggers, AFunctionAtZeroInstancesIsStarted) {
  create();
  const auto deployed = deploy_script("sleeper", kTells, "scale: {min: 0, max: 1}\n");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  ASSERT_TRUE(is_subscribed("sleeper"));
  publish("wake up");
  EXPECT_TRUE(has_settled("sleeper", 1));
  EXPECT_THAT(logs("sleeper"), HasSubstr("got plates/seen 1 1 wake up"));
}

TEST_F(TopicTriggers, AMasterThatIsKilledDeliversTheRest) {
  create({"--handling", "2s"});
  const auto deployed = deploy_script("reader", std::string(kTells) + "; sleep 1");
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  ASSERT_TRUE(is_subscribed("reader"));
  for (unsigned i = 1; i <= 6; ++i) publish(fmt::format("message {}", i));
  ASSERT_TRUE(eventually([&] { return logs("reader").find("message 1") != std::string::npos; }));
  kill_master();
  EXPECT_TRUE(has_settled("reader", 6));
}

TEST_F(TopicTriggers, AFunctionOfAnotherOwnerNeedsTheTopicsConsent) {
  create();
  const auto key = (platform_.root() / "other.key").string();
  ASSERT_EQ(platform_.tcfdl({"key", "create", "--out", key}).exit_code, 0);
  const auto file = platform_.root() / "stranger.yaml";
  std::ofstream(file) << "name: stranger\nversion: 1\ncommand: [tcfdl-exec, once, --, /bin/cat]\ntriggers: {topics: ["
                      << kTopic << "]}\n";
  const auto deployed = platform_.tcfdl({"function", "deploy", file.string(), "--key", key});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  ASSERT_EQ(deploy_script("reader", kTells).exit_code, 0);
  ASSERT_TRUE(is_subscribed("reader")); // triggers were looked at since
  EXPECT_TRUE(subscription_of("stranger").is_null());
  create({"--update", "--function", "stranger"});
  EXPECT_TRUE(is_subscribed("stranger"));
}

TEST_F(Topics, AFunctionRunsByTheClockAndOnAfterTheMasterWasKilled) {
  const auto file = platform_.root() / "clock.yaml";
  std::ofstream(file) << "name: clock\nversion: 1\nprotection: [none]\ntriggers: {cron: ['* * * * *']}\n"
                         "command: [tcfdl-exec, once, --, /bin/sh, -c, 'echo \"$TCFDL_CALLER $(cat)\" >&2']\n";
  const auto deployed = platform_.tcfdl({"function", "deploy", file.string()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto last = [&] {
    const auto shown = platform_.json({"function", "show", "clock"});
    return shown.is_object() ? shown["cron"][0]["last"].get<std::int64_t>() : 0;
  };
  ASSERT_TRUE(eventually([&] { return last() > 0; })); // it is known to the master
  const auto began = last();
  kill_master();
  ASSERT_TRUE(eventually([&] { return last() > began; }, seconds(90)));
  EXPECT_EQ(last() % 60, 0);
  EXPECT_TRUE(eventually([&] {
    return platform_.tcfdl({"function", "logs", "clock"}).out.find(R"(cron {"cron":"* * * * *","due":)") !=
           std::string::npos;
  }));
}

} // namespace
} // namespace tcfdl::test
