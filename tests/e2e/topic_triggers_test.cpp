// Functions that run on the messages of a topic, and by the clock.
#include "e2e/topics.hpp"

#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>

namespace tcfdl::test {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

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
  ASSERT_TRUE(platform_.kill_master());
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
  ASSERT_TRUE(platform_.kill_master());
  ASSERT_TRUE(eventually([&] { return last() > began; }, seconds(90)));
  EXPECT_EQ(last() % 60, 0);
  EXPECT_TRUE(eventually([&] {
    return platform_.tcfdl({"function", "logs", "clock"}).out.find(R"(cron {"cron":"* * * * *","due":)") !=
           std::string::npos;
  }));
}

} // namespace
} // namespace tcfdl::test
