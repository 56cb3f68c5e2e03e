#include "instance_manager/node_instances.hpp"

#include "base/file.hpp"
#include "instance_manager/tests/fakes.hpp"

#include <csignal>
#include <gmock/gmock.h>

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class NodeInstancesTest : public ::testing::Test {
protected:
  static constexpr const char* kId = "plates-read-00000001";

  void settle() {
    do {
      instances_.run_due();
      executor_.run_all();
    } while (instances_due());
  }
  bool instances_due() {
    instances_.run_due();
    return !executor_.jobs.empty();
  }
  void advance(milliseconds by) {
    time_.advance(by);
    settle();
  }
  static wire::StartInstance order(const std::string& id = kId) {
    wire::StartInstance result;
    result.set_instance(id);
    *result.mutable_descriptor() = make_descriptor("plates/read", 7, "manifest");
    result.set_manifest("manifest");
    return result;
  }
  void launch() {
    ASSERT_TRUE(instances_.start_instance(order()));
    settle();
  }
  Result<Admission> admit(const std::string& token) {
    wire::InstanceReady ready;
    ready.set_answers(true);
    ready.set_token(token);
    ready.add_addresses("unix:/socket");
    auto admission = instances_.admit(ready, agent_);
    settle();
    return admission;
  }
  void make_ready() {
    launch();
    ASSERT_TRUE(admit(proxy_.token()));
    ASSERT_EQ(state(), wire::INSTANCE_STATE_READY);
  }
  void exit(std::int32_t status) {
    wire::InstanceExited event;
    event.set_instance(kId);
    event.set_status(status);
    instances_.exited(event);
    settle();
  }
  void order_stop(std::uint32_t drain_ms) {
    wire::StopInstance stop;
    stop.set_instance(kId);
    stop.set_drain_ms(drain_ms);
    instances_.stop_instance(stop);
    settle();
  }
  wire::InstanceStatus status() { return instances_.status().at(0); }
  wire::InstanceState state() { return status().state(); }

  TemporaryDirectory directory_;
  ManualTime time_;
  FakeExecutor executor_;
  FakeProxy proxy_;
  FakeBundles bundles_;
  FakeReporter reporter_;
  std::shared_ptr<FakeAgent> agent_ = std::make_shared<FakeAgent>();
  NodeInstances instances_{{.log_directory = directory_.path(), .environment = {{"TCFDL_NODE", "worker-1"}}},
                           proxy_,
                           bundles_,
                           reporter_,
                           executor_,
                           time_};
};

TEST_F(NodeInstancesTest, LaunchesWithItsEnvironmentAndALogOfItsOwn) {
  launch();
  ASSERT_EQ(proxy_.launched.size(), 1U);
  const auto& launched = proxy_.launched[0];
  EXPECT_EQ(launched.instance(), kId);
  EXPECT_EQ(launched.directory(), "/bundle");
  EXPECT_EQ(launched.manifest(), "manifest");
  EXPECT_EQ(launched.role(), wire::ROLE_INSTANCE);
  EXPECT_EQ(launched.log(), (directory_.path() / "plates/read/plates-read-00000001.log").string());
  EXPECT_EQ(launched.environment().at("TCFDL_NODE"), "worker-1");
  EXPECT_EQ(launched.environment().at("TCFDL_INSTANCE"), kId);
  EXPECT_EQ(launched.environment().at("TCFDL_FUNCTION"), "plates/read");
  EXPECT_EQ(launched.environment().at("TCFDL_CONCURRENCY"), "3");
  EXPECT_EQ(launched.environment().at("TCFDL_AGENT_TOKEN").size(), 64U);
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STARTING);
  EXPECT_EQ(status().pid(), 1001U);
  EXPECT_EQ(status().version(), 7U);
}

TEST_F(NodeInstancesTest, RefusesBadNamesAndBadDescriptors) {
  EXPECT_EQ(instances_.start_instance(order("../a")).error().code(), Code::kInvalidArgument);
  auto bad = order();
  *bad.mutable_descriptor() = make_descriptor("../a", 1, "manifest");
  EXPECT_EQ(instances_.start_instance(bad).error().code(), Code::kInvalidArgument);
}

TEST_F(NodeInstancesTest, RefusesWhatTheOwnerDidNotSign) {
  const auto refusal = [&](const wire::StartInstance& bad) {
    const auto taken = instances_.start_instance(bad);
    EXPECT_FALSE(taken);
    return taken ? std::string() : taken.error().to_string();
  };
  auto swapped = order();
  swapped.set_manifest("another manifest");
  EXPECT_THAT(refusal(swapped), ::testing::HasSubstr("the manifest is not the one that the descriptor of plates/read"));

  // Each byte of what was signed counts.
  auto changed = order();
  auto statement = wire::parse<wire::Descriptor>(changed.descriptor().statement()).value();
  statement.set_measurement(wire::field(wire::measure_manifest(as_bytes("another manifest"))));
  changed.mutable_descriptor()->set_statement(statement.SerializeAsString());
  changed.set_manifest("another manifest");
  EXPECT_THAT(refusal(changed), ::testing::HasSubstr("UNAUTHENTICATED"));

  const auto thief = crypto::SigningKey::generate();
  *changed.mutable_descriptor() = wire::sign(thief, statement);
  EXPECT_THAT(refusal(changed), ::testing::HasSubstr("UNAUTHENTICATED")) << "signed by another than it names";
  settle();
  EXPECT_TRUE(proxy_.launched.empty());
}

TEST_F(NodeInstancesTest, StartsAnInstanceOnce) {
  launch();
  launch();
  EXPECT_EQ(proxy_.launched.size(), 1U);
}

TEST_F(NodeInstancesTest, IsReadyWhenItsTokenComesAndOnlyOnce) {
  launch();
  EXPECT_EQ(admit("guess").error().code(), Code::kUnauthenticated);
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STARTING);
  const auto token = proxy_.token();
  EXPECT_TRUE(admit(token));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY);
  EXPECT_EQ(status().addresses(0), "unix:/socket");
  EXPECT_EQ(admit(token).error().code(), Code::kUnauthenticated);
}

TEST_F(NodeInstancesTest, RefusesAddressesThatAreNone) {
  launch();
  wire::InstanceReady ready;
  ready.set_token(proxy_.token());
  EXPECT_EQ(instances_.admit(ready, agent_).error().code(), Code::kInvalidArgument);
  ready.add_addresses("http://host");
  EXPECT_EQ(instances_.admit(ready, agent_).error().code(), Code::kInvalidArgument);
}

TEST_F(NodeInstancesTest, MayBeReadyBeforeItsLaunchIsAnswered) {
  ASSERT_TRUE(instances_.start_instance(order()));
  instances_.run_due();
  executor_.run_all();
  wire::InstanceReady ready;
  ready.set_token(proxy_.token());
  ready.add_addresses("unix:/socket");
  ASSERT_TRUE(instances_.admit(ready, agent_));
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY);
  EXPECT_EQ(status().pid(), 1001U);
}

TEST_F(NodeInstancesTest, RestartsAKilledInstanceAfterABackOff) {
  make_ready();
  exit(SIGKILL);
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "killed by signal 9");
  EXPECT_EQ(status().addresses_size(), 0);
  advance(milliseconds(79));
  EXPECT_EQ(proxy_.launched.size(), 1U);
  advance(milliseconds(21));
  EXPECT_EQ(proxy_.launched.size(), 2U);
  EXPECT_EQ(status().restarts(), 1U);
  EXPECT_NE(proxy_.launched[0].environment().at("TCFDL_AGENT_TOKEN"), proxy_.token());
  EXPECT_TRUE(admit(proxy_.token()));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY);
}

TEST_F(NodeInstancesTest, GivesUpANameWithoutIdentityOnceTheMasterHasHeardWhy) {
  launch();
  wire::InstanceExited event;
  event.set_instance(kId);
  event.set_status(1 << 8);
  event.set_note("no identity: the authority is silent");
  event.set_no_identity(true);
  instances_.exited(event);
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "exited with status 1: no identity: the authority is silent");
  advance(milliseconds(1499));
  EXPECT_EQ(instances_.status().size(), 1U);
  advance(milliseconds(1));
  EXPECT_TRUE(instances_.status().empty());
  EXPECT_EQ(proxy_.launched.size(), 1U) << "no other run under this name";
}

TEST_F(NodeInstancesTest, ShowsACrashLoopWithGrowingDelays) {
  launch();
  for (int i = 0; i < 5; ++i) {
    exit(3 << 8);
    EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
    EXPECT_EQ(status().last_error(), "exited with status 3");
    advance(milliseconds(100 << i));
    EXPECT_EQ(status().restarts(), static_cast<std::uint32_t>(i + 1));
  }
  exit(3 << 8);
  advance(milliseconds(2500));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
}

TEST_F(NodeInstancesTest, RestartsQuicklyAgainAfterALongRun) {
  launch();
  for (int i = 0; i < 5; ++i) {
    exit(0);
    advance(seconds(10));
  }
  ASSERT_TRUE(admit(proxy_.token()));
  advance(seconds(60));
  exit(0);
  advance(milliseconds(100));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STARTING);
}

TEST_F(NodeInstancesTest, BacksOffWhenTheBundleOrTheLaunchFails) {
  bundles_.answer = Error(Code::kUnavailable, "no route to the store");
  launch();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "not launched: UNAVAILABLE: no route to the store");
  bundles_.answer = std::filesystem::path("/bundle");
  proxy_.refusal = Error(Code::kInternal, "no memory");
  advance(milliseconds(100));
  EXPECT_EQ(status().last_error(), "not launched: INTERNAL: no memory");
  proxy_.refusal.reset();
  advance(milliseconds(200));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STARTING);
}

TEST_F(NodeInstancesTest, KillsWhatDoesNotGetReadyAndWaitsForItsExit) {
  launch();
  advance(seconds(30));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "not ready 30 s after its launch");
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
  advance(seconds(1));
  EXPECT_EQ(proxy_.launched.size(), 1U);
  exit(SIGKILL);
  EXPECT_EQ(proxy_.launched.size(), 2U);
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STARTING);
}

TEST_F(NodeInstancesTest, RestartsWithoutTheExitWhenItNeverComes) {
  launch();
  advance(seconds(30));
  advance(seconds(5));
  EXPECT_EQ(proxy_.launched.size(), 1U);
  advance(seconds(6));
  EXPECT_EQ(proxy_.launched.size(), 2U);
}

TEST_F(NodeInstancesTest, RestartsWhenTheConnectionOfAReadyInstanceEnds) {
  launch();
  const auto admission = admit(proxy_.token());
  instances_.agent_lost(*admission);
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
  exit(SIGKILL);
  EXPECT_EQ(status().last_error(), "its connection to the node ended, killed by signal 9");
  advance(milliseconds(100));
  ASSERT_TRUE(admit(proxy_.token()));
  instances_.agent_lost(*admission);
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY) << "the connection of the run before says nothing of this one";
}

TEST_F(NodeInstancesTest, DrainsThenEnds) {
  make_ready();
  order_stop(500);
  EXPECT_EQ(state(), wire::INSTANCE_STATE_DRAINING);
  ASSERT_EQ(agent_->sent.size(), 1U);
  EXPECT_EQ(agent_->sent[0].drain().within_ms(), 500U);
  EXPECT_TRUE(proxy_.killed.empty());
  exit(0);
  EXPECT_TRUE(instances_.status().empty());
  advance(seconds(60));
  EXPECT_TRUE(proxy_.killed.empty());
  EXPECT_EQ(proxy_.launched.size(), 1U);
}

TEST_F(NodeInstancesTest, KillsWhatDoesNotDrainInTime) {
  make_ready();
  order_stop(500);
  advance(milliseconds(500));
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
  EXPECT_EQ(state(), wire::INSTANCE_STATE_STOPPED);
  exit(SIGKILL);
  EXPECT_TRUE(instances_.status().empty());
}

TEST_F(NodeInstancesTest, StopsAnInstanceWhoseLaunchIsUnderWay) {
  ASSERT_TRUE(instances_.start_instance(order()));
  instances_.run_due();
  wire::StopInstance stop;
  stop.set_instance(kId);
  instances_.stop_instance(stop);
  settle();
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
  exit(SIGKILL);
  EXPECT_TRUE(instances_.status().empty());
}

TEST_F(NodeInstancesTest, StopsAnInstanceThatBacksOffForGood) {
  launch();
  exit(1 << 8);
  order_stop(0);
  EXPECT_TRUE(instances_.status().empty());
  advance(seconds(60));
  EXPECT_EQ(proxy_.launched.size(), 1U);
}

TEST_F(NodeInstancesTest, PassesTasksOnInTheNameOfTheInstanceThatReports) {
  launch();
  const auto admission = admit(proxy_.token());
  wire::TaskEvent event;
  event.set_lease_id("1");
  event.set_instance("another");
  instances_.task_event(*admission, event);
  ASSERT_EQ(reporter_.tasks.size(), 1U);
  EXPECT_EQ(reporter_.tasks[0].instance(), kId);
}

TEST_F(NodeInstancesTest, ReportsChanges) {
  make_ready();
  const int before = reporter_.changes;
  exit(0);
  EXPECT_GT(reporter_.changes, before);
}

TEST_F(NodeInstancesTest, RefusesMoreInstancesThanItMayHave) {
  NodeInstances one{
      {.log_directory = directory_.path(), .max_instances = 1}, proxy_, bundles_, reporter_, executor_, time_};
  ASSERT_TRUE(one.start_instance(order()));
  one.run_due();
  EXPECT_EQ(one.start_instance(order("b-00000001")).error().code(), Code::kResourceExhausted);
  EXPECT_TRUE(one.start_instance(order()));
}

TEST_F(NodeInstancesTest, KillsItsInstancesWhenItStops) {
  make_ready();
  instances_.stop();
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
}

TEST_F(NodeInstancesTest, KillsWhatIsLaunchedAfterItStopped) {
  ASSERT_TRUE(instances_.start_instance(order()));
  instances_.run_due();
  instances_.stop();
  proxy_.killed.clear();
  executor_.run_all();
  EXPECT_EQ(proxy_.killed, std::vector<std::string>{kId});
}

TEST_F(NodeInstancesTest, TellsWhatTheGroupsOfItsInstancesCount) {
  const auto group = directory_.path() / "group";
  std::filesystem::create_directories(group);
  ASSERT_TRUE(write_file(group / "pids.current", as_bytes("5\n")));
  proxy_.groups = {group.string()};
  auto limited = order();
  limited.mutable_limits()->set_processes(33);
  ASSERT_TRUE(instances_.start_instance(limited));
  settle();
  EXPECT_EQ(proxy_.launched.back().limits().processes(), 33U);
  EXPECT_EQ(status().processes(), 5U);
}

TEST_F(NodeInstancesTest, AnInstanceThatDoesNotAnswerIsKilledAndStartedAgain) {
  auto wanted = order();
  wanted.mutable_health()->set_answer_within_ms(4000);
  ASSERT_TRUE(instances_.start_instance(wanted));
  settle();
  const auto admission = admit(proxy_.token());
  ASSERT_TRUE(admission);
  for (int i = 0; i < 5; ++i) {
    advance(seconds(2));
    ASSERT_EQ(agent_->sent.size(), static_cast<std::size_t>(i + 1));
    EXPECT_TRUE(agent_->sent.back().has_ping());
    instances_.answered(*admission, milliseconds(0));
    settle();
  }
  advance(seconds(2));
  advance(seconds(2));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY) << "one answer may be late";
  advance(seconds(2));
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "it did not answer its node for 4 s");
  EXPECT_THAT(proxy_.killed, ::testing::ElementsAre(kId));
}

TEST_F(NodeInstancesTest, AnInstanceWhoseTaskRunsOnPastItsDeadlineIsKilled) {
  auto wanted = order();
  wanted.mutable_health()->set_overdue_ms(3000);
  ASSERT_TRUE(instances_.start_instance(wanted));
  settle();
  const auto admission = admit(proxy_.token());
  ASSERT_TRUE(admission);
  instances_.answered(*admission, milliseconds(3000));
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_READY);
  instances_.answered(*admission, milliseconds(5000));
  settle();
  EXPECT_EQ(state(), wire::INSTANCE_STATE_BACKING_OFF);
  EXPECT_EQ(status().last_error(), "a task runs 5 s past its deadline");
}

TEST_F(NodeInstancesTest, FailedRunsAreCountedUntilOneLasts) {
  make_ready();
  exit(256);
  EXPECT_EQ(status().failures(), 1U);
  EXPECT_GT(status().retry_in_ms(), 0U);
  advance(milliseconds(100));
  ASSERT_TRUE(admit(proxy_.token()));
  exit(256);
  EXPECT_EQ(status().failures(), 2U);
  advance(milliseconds(200));
  const auto admission = admit(proxy_.token());
  ASSERT_TRUE(admission);
  for (int i = 0; i < 14; ++i) {
    advance(seconds(5));
    instances_.answered(*admission, milliseconds(0));
    settle();
  }
  exit(256);
  EXPECT_EQ(status().failures(), 1U) << "the one before ran for more than a minute";
}

} // namespace
} // namespace tcfdl::instance_manager::testing
