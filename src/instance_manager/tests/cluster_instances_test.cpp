#include "instance_manager/tests/cluster_world.hpp"

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;
using Lines = std::vector<std::string>;

/// A node that says what it has.
struct FakeNode {
  wire::NodeStatus status;
  explicit FakeNode(const std::string& name, const std::string& role = "worker") {
    status.set_node(name);
    status.set_role(role);
    status.set_tee_kind("software");
  }
  wire::InstanceStatus& add(const std::string& id, std::uint64_t version = 1,
                            wire::InstanceState state = wire::INSTANCE_STATE_READY) {
    auto& instance = *status.add_instances();
    instance.set_instance(id);
    instance.set_function("plates/read");
    instance.set_version(version);
    instance.set_state(state);
    instance.add_addresses("unix:/" + id);
    return instance;
  }
};

class ClusterInstancesTest : public ClusterWorld {
protected:
  void advance(milliseconds by) {
    for (; by.count() > 0; by -= std::min(by, kStep)) {
      time_.advance(std::min(by, kStep));
      settle();
    }
  }
  static constexpr milliseconds kStep{500};
  void report(const FakeNode& node) { ClusterWorld::report(node.status); }
  void want(std::size_t scale, std::uint64_t version = 1) { want_with({}, scale, version); }
  void want_with(const Needs& needs, std::size_t scale = 1, std::uint64_t version = 1, std::size_t keep = 0) {
    ASSERT_TRUE(cluster_.set_function({.descriptor = make_descriptor("plates/read", version),
                                       .manifest = "manifest",
                                       .scale = scale,
                                       .keep = keep,
                                       .needs = needs}));
    settle();
  }
  std::string problem() { return cluster_.view().functions.at(0).problem; }
  std::string started(std::size_t index) { return nodes_.started.at(index).second.instance(); }

  FakeNode worker_{"worker-1"};
  FakeNode master_{"main", "master"};
};

TEST_F(ClusterInstancesTest, StartsWhatIsWantedOnWorkersFirst) {
  report(master_);
  report(worker_);
  want(2);
  ASSERT_EQ(nodes_.started.size(), 2U);
  EXPECT_EQ(nodes_.started[0].first, "worker-1");
  EXPECT_EQ(nodes_.started[1].first, "main");
  EXPECT_EQ(started(0).substr(0, 12), "plates-read-");
  EXPECT_EQ(nodes_.started[0].second.manifest(), "manifest");
  advance(milliseconds(600));
  EXPECT_EQ(nodes_.started.size(), 2U) << "what was ordered counts until it is reported";
}

TEST_F(ClusterInstancesTest, StartsUnderTheNamesThatANodeHoldsReady) {
  const auto add_slot = [&](const char* instance, const char* function, std::uint64_t version) {
    auto& slot = *worker_.status.add_slots();
    slot.set_instance(instance);
    slot.set_function(function);
    slot.set_version(version);
  };
  add_slot("echo-00000001", "echo", 1);
  add_slot("plates-read-00000002", "plates/read", 2);
  add_slot("../plates", "plates/read", 1);
  add_slot("plates-read-00000003", "plates/read", 1);
  report(worker_);
  want(2);
  ASSERT_EQ(nodes_.started.size(), 2U);
  EXPECT_EQ(started(0), "plates-read-00000003");
  EXPECT_EQ(started(1).substr(0, 12), "plates-read-");
  EXPECT_NE(started(1), started(0)) << "one live process each";
}

TEST_F(ClusterInstancesTest, TellsWhenAnInstanceIsReadyAndWhenItIsGone) {
  report(worker_);
  want(1);
  auto& instance = worker_.add(started(0), 1, wire::INSTANCE_STATE_STARTING);
  report(worker_);
  EXPECT_EQ(events_.take(), Lines{});
  instance.set_state(wire::INSTANCE_STATE_READY);
  report(worker_);
  report(worker_);
  EXPECT_EQ(events_.take(), Lines{"ready " + started(0)});
  EXPECT_EQ(events_.last_ready.node, NodeId("worker-1"));
  EXPECT_EQ(events_.last_ready.tee_kind, "software");
  EXPECT_EQ(events_.last_ready.version, 1U);
  EXPECT_EQ(events_.last_ready.addresses, Lines{"unix:/" + started(0)});
  instance.set_state(wire::INSTANCE_STATE_BACKING_OFF);
  instance.set_last_error("killed by signal 9");
  report(worker_);
  EXPECT_EQ(events_.take(), Lines{"gone " + started(0)});
  EXPECT_EQ(events_.last_reason, "killed by signal 9");
}

TEST_F(ClusterInstancesTest, TellsOfARestartBetweenTwoHeartbeats) {
  want(1);
  auto& instance = worker_.add("a");
  report(worker_);
  instance.set_restarts(1);
  report(worker_);
  EXPECT_EQ(events_.take(), (Lines{"ready a", "gone a", "ready a"}));
}

TEST_F(ClusterInstancesTest, AdoptsWhatItFindsAfterARestart) {
  want(2);
  worker_.add("a");
  worker_.add("b");
  report(worker_);
  EXPECT_EQ(events_.take(), (Lines{"ready a", "ready b"}));
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_TRUE(nodes_.stopped.empty());
}

TEST_F(ClusterInstancesTest, StopsWhatNobodyWants) {
  worker_.add("a");
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{"a"});
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{"a"}) << "once, until the time to drain is over";
  time_.advance(milliseconds(15'001));
  report(worker_);
  EXPECT_EQ(nodes_.stopped, (Lines{"a", "a"}));
}

TEST_F(ClusterInstancesTest, DrainsBeforeItStops) {
  want(1);
  worker_.add("a");
  report(worker_);
  events_.take();
  cluster_.remove_function(FunctionName("plates/read"));
  settle();
  EXPECT_EQ(events_.take(), Lines{"draining a"});
  EXPECT_EQ(nodes_.stopped, Lines{"a"});
  worker_.status.clear_instances();
  report(worker_);
  EXPECT_EQ(events_.take(), Lines{"gone a"});
}

TEST_F(ClusterInstancesTest, LosesANodeThatIsRemovedWithItsInstances) {
  want(1);
  worker_.add("a");
  report(worker_);
  report(master_);
  events_.take();
  cluster_.remove_node(NodeId("worker-1"), "it is revoked");
  cluster_.run_due();
  EXPECT_EQ(events_.take(), Lines{"gone a"});
  EXPECT_NE(events_.last_reason.find("it is revoked"), std::string::npos);
  EXPECT_EQ(cluster_.view().nodes.size(), 1U);
}

TEST_F(ClusterInstancesTest, LosesASilentNodeAndStartsElsewhere) {
  want(1);
  worker_.add("a");
  report(worker_);
  events_.take();
  for (int i = 0; i < 6; ++i) {
    time_.advance(milliseconds(600));
    report(master_);
  }
  EXPECT_EQ(events_.take(), Lines{"gone a"});
  EXPECT_NE(events_.last_reason.find("node worker-1 is lost"), std::string::npos);
  ASSERT_EQ(nodes_.started.size(), 1U);
  EXPECT_EQ(nodes_.started[0].first, "main");
  EXPECT_EQ(cluster_.view().nodes.size(), 1U);
}

TEST_F(ClusterInstancesTest, DoesNotCountASilenceInWhichItWasStoppedItself) {
  want(1);
  worker_.add("a");
  report(worker_);
  events_.take();
  time_.advance(std::chrono::seconds(60));
  settle();
  EXPECT_EQ(events_.take(), Lines{}) << "what the node said is still to be read";
  advance(milliseconds(3600));
  EXPECT_EQ(events_.take(), Lines{"gone a"});
}

TEST_F(ClusterInstancesTest, TakesALostNodeBackAndStopsTheSurplus) {
  want(1);
  worker_.add("a");
  report(worker_);
  advance(milliseconds(3600));
  master_.add("b");
  report(master_);
  report(worker_);
  EXPECT_EQ(nodes_.stopped.size(), 1U);
}

TEST_F(ClusterInstancesTest, ReplacesAnInstanceThatKeepsFailing) {
  want(1);
  auto& instance = worker_.add("a", 1, wire::INSTANCE_STATE_BACKING_OFF);
  instance.set_last_error("exited with status 1");
  instance.set_restarts(4);
  report(worker_);
  report(master_);
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_EQ(cluster_.view().functions.at(0).problem, "a: exited with status 1 (4 restarts)");
  for (int i = 0; i < 8; ++i) {
    time_.advance(milliseconds(600));
    report(worker_);
    report(master_);
  }
  ASSERT_EQ(nodes_.started.size(), 1U) << "at most twice the scale exists";
  EXPECT_EQ(nodes_.started[0].first, "main");
}

TEST_F(ClusterInstancesTest, ReplacesAVersionOnlyWhenTheNextIsReady) {
  want(1, 1);
  worker_.add("old", 1);
  report(worker_);
  want(1, 2);
  ASSERT_EQ(nodes_.started.size(), 1U);
  EXPECT_TRUE(nodes_.stopped.empty());
  auto& next = worker_.add(started(0), 2, wire::INSTANCE_STATE_STARTING);
  report(worker_);
  EXPECT_TRUE(nodes_.stopped.empty());
  next.set_state(wire::INSTANCE_STATE_READY);
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{"old"});
  EXPECT_EQ(events_.take(), (Lines{"ready old", "ready " + started(0), "draining old"}));
}

TEST_F(ClusterInstancesTest, MovesTheInstancesOfADrainedNode) {
  want(1);
  worker_.add("a");
  report(worker_);
  report(master_);
  cluster_.set_drained({NodeId("worker-1")});
  settle();
  ASSERT_EQ(nodes_.started.size(), 1U);
  EXPECT_EQ(nodes_.started[0].first, "main");
  EXPECT_TRUE(nodes_.stopped.empty()) << "nothing has taken its place yet";
  EXPECT_TRUE(cluster_.view().nodes.at(1).drained);
  master_.add(started(0));
  report(master_);
  settle();
  EXPECT_EQ(nodes_.stopped.size(), 1U);
}

TEST_F(ClusterInstancesTest, ADrainedNodeKeepsWhatHasNoOtherPlaceAndSaysSo) {
  want(1);
  worker_.add("a");
  report(worker_);
  cluster_.set_drained({NodeId("worker-1")});
  settle();
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_TRUE(nodes_.stopped.empty());
  EXPECT_NE(problem().find("worker-1: it is drained"), std::string::npos) << problem();
  cluster_.set_drained({});
  settle();
  EXPECT_EQ(problem(), "");
}

TEST_F(ClusterInstancesTest, FollowsItsScale) {
  report(worker_);
  want(0);
  EXPECT_TRUE(nodes_.started.empty());
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 1));
  settle();
  EXPECT_EQ(nodes_.started.size(), 1U);
  worker_.add(started(0));
  report(worker_);
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 0));
  settle();
  EXPECT_EQ(nodes_.stopped, Lines{started(0)});
  EXPECT_EQ(cluster_.set_scale(FunctionName("unknown"), 1).error().code(), Code::kNotFound);
}

TEST_F(ClusterInstancesTest, AvoidsANodeThatRefused) {
  nodes_.refusal = Error(Code::kResourceExhausted, "no memory");
  report(worker_);
  want(1);
  EXPECT_THAT(cluster_.view().functions.at(0).problem, ::testing::HasSubstr("RESOURCE_EXHAUSTED: no memory"));
  nodes_.refusal.reset();
  report(worker_);
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_THAT(cluster_.view().functions.at(0).problem, ::testing::HasSubstr("RESOURCE_EXHAUSTED: no memory"))
      << "the reason stands while the node is avoided";
  time_.advance(milliseconds(2000));
  report(worker_);
  EXPECT_EQ(nodes_.started.size(), 1U);
}

TEST_F(ClusterInstancesTest, StartsNothingOnNodesWhoseTeeTheFunctionDoesNotAdmit) {
  worker_.status.set_tee_kind("other");
  report(worker_);
  want(1);
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_EQ(cluster_.view().functions.at(0).problem,
            "no node has room for an instance: worker-1: TEE: software wanted, it is other");
}

TEST_F(ClusterInstancesTest, StopsAnInstanceWhenItsTasksAreOver) {
  want(2);
  worker_.add("a");
  worker_.add("b");
  report(worker_);
  events_.take();
  events_.busy = {"a", "b"};
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 1));
  settle();
  EXPECT_EQ(events_.take(), Lines{"draining b"}) << "no new tasks";
  for (int i = 0; i < 100; ++i) {
    time_.advance(milliseconds(600));
    report(worker_);
  }
  EXPECT_EQ(nodes_.stopped, Lines{}) << "its tasks take a minute";
  events_.busy = {"a"};
  time_.advance(milliseconds(600));
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{"b"});
}

TEST_F(ClusterInstancesTest, StopsAnIdleInstanceBeforeABusyOne) {
  want(2);
  worker_.add("a");
  worker_.add("b");
  report(worker_);
  events_.busy = {"b"};
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 1));
  settle();
  EXPECT_EQ(nodes_.stopped, Lines{"a"});
}

TEST_F(ClusterInstancesTest, DoesNotWaitLongForTasksOfARemovedFunction) {
  want(1);
  worker_.add("a");
  report(worker_);
  events_.busy = {"a"};
  cluster_.remove_function(FunctionName("plates/read"));
  settle();
  EXPECT_EQ(nodes_.stopped, Lines{});
  time_.advance(milliseconds(10'001));
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{"a"});
}

TEST_F(ClusterInstancesTest, ARestartedMasterKeepsWhatItFindsUntilTheScaleIsSet) {
  want_with({}, 1, 1, 4);
  for (const auto* id : {"a", "b", "c"}) worker_.add(id);
  report(worker_);
  EXPECT_EQ(nodes_.stopped, Lines{});
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 2));
  settle();
  EXPECT_EQ(nodes_.stopped.size(), 1U);
}

TEST_F(ClusterInstancesTest, ARestartedMasterHearsItsNodesBeforeItStartsWhatSeemsToLack) {
  cluster_.expect_nodes({"worker-1", "main"});
  want(2);
  worker_.add("a");
  report(worker_);
  EXPECT_TRUE(nodes_.started.empty()) << "the other may be on the master";
  master_.add("b");
  report(master_);
  advance(milliseconds(600));
  EXPECT_TRUE(nodes_.started.empty());
  EXPECT_EQ(problem(), "");
}

TEST_F(ClusterInstancesTest, ANodeThatDoesNotReturnIsNotWaitedForLong) {
  cluster_.expect_nodes({"worker-1", "lost"});
  want(1);
  report(worker_);
  EXPECT_TRUE(nodes_.started.empty());
  for (int i = 0; i < 9; ++i) {
    time_.advance(milliseconds(600));
    report(worker_);
  }
  EXPECT_EQ(nodes_.started.size(), 1U);
}

TEST_F(ClusterInstancesTest, StartsWhereMemoryIsLeftAndSaysWhereItIsNot) {
  worker_.status.set_memory_total(1000 << 20U);
  worker_.status.set_memory_available(250 << 20U);
  report(worker_);
  want_with({.memory = 100 << 20U}, 3);
  advance(milliseconds(600));
  ASSERT_EQ(nodes_.started.size(), 2U) << "what was ordered takes its room";
  EXPECT_EQ(nodes_.started[0].second.limits().memory(), 100U << 20U) << "what it needs is its limit";
  EXPECT_EQ(problem(), "no node has room for an instance: worker-1: memory: 100.0 MiB wanted, 50.0 MiB of 1000.0 MiB "
                       "left");
  EXPECT_EQ(events_.problems.back(), problem());
  worker_.add(started(0)).set_rss(30 << 20U);
  worker_.add(started(1)).set_rss(30 << 20U);
  worker_.status.set_memory_available(190 << 20U);
  report(worker_);
  ASSERT_EQ(nodes_.started.size(), 2U) << "what they do not use yet is promised to them";
  EXPECT_THAT(problem(), ::testing::StartsWith("2 of 3 instances of plates/read run; no node has room"));
  master_.status.set_memory_total(1000 << 20U);
  master_.status.set_memory_available(500 << 20U);
  report(master_);
  ASSERT_EQ(nodes_.started.size(), 3U);
  EXPECT_EQ(nodes_.started[2].first, "main");
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(events_.problems.back(), "");
}

TEST_F(ClusterInstancesTest, StartsOnNodesWithItsLabels) {
  (*master_.status.mutable_labels())["zone"] = "north";
  (*worker_.status.mutable_labels())["zone"] = "south";
  report(worker_);
  report(master_);
  want_with({.labels = {{"zone", "north"}}});
  ASSERT_EQ(nodes_.started.size(), 1U);
  EXPECT_EQ(nodes_.started[0].first, "main");
}

TEST_F(ClusterInstancesTest, TellsOfAFunctionAtZeroThatItCouldNotStart) {
  worker_.status.set_enclave_memory(64 << 20U);
  report(worker_);
  want_with({.enclave_memory = 96 << 20U}, 0);
  EXPECT_THAT(problem(), ::testing::HasSubstr("enclave memory: 96.0 MiB wanted, 64.0 MiB of 64.0 MiB left"));
  want_with({.enclave_memory = 32 << 20U}, 0);
  EXPECT_EQ(problem(), "");
}

TEST_F(ClusterInstancesTest, OrdersAgainWhatIsNeverReported) {
  report(worker_);
  want(1);
  for (int i = 0; i < 18; ++i) {
    time_.advance(milliseconds(600));
    report(worker_);
  }
  EXPECT_EQ(nodes_.started.size(), 2U);
}

TEST_F(ClusterInstancesTest, IgnoresANodeThatReportsAnothersInstance) {
  want(1);
  worker_.add("a");
  report(worker_);
  events_.take();
  FakeNode thief("thief");
  thief.add("a");
  report(thief);
  EXPECT_EQ(events_.take(), Lines{});
  EXPECT_EQ(cluster_.view().functions.at(0).instances.at(0).first, NodeId("worker-1"));
}

TEST_F(ClusterInstancesTest, ShowsNodesAndFunctions) {
  want(1);
  worker_.add("a");
  report(worker_);
  time_.advance(milliseconds(250));
  const auto view = cluster_.view();
  EXPECT_EQ(view.nodes.at(0).age, milliseconds(250));
  EXPECT_EQ(view.functions.at(0).ready, 1U);
  EXPECT_EQ(view.functions.at(0).scale, 1U);
  EXPECT_EQ(view.functions.at(0).problem, "");
}

TEST_F(ClusterInstancesTest, RefusesDescriptorsWithoutAName) {
  EXPECT_EQ(cluster_.set_function({.descriptor = make_descriptor(""), .manifest = ""}).error().code(),
            Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::instance_manager::testing
