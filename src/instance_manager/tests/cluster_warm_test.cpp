#include "instance_manager/tests/cluster_world.hpp"

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;
using Lines = std::vector<std::string>;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const FunctionName kName("plates/read");

class Warm : public ClusterWorld {
protected:
  Warm() {
    status_.set_node("worker-1");
    status_.set_tee_kind("software");
    report();
    EXPECT_TRUE(
        cluster_.set_function({.descriptor = make_descriptor("plates/read"), .manifest = {}, .scale = 0, .warm = 1}));
    settle();
    run_what_started();
  }
  void report() {
    time_.advance(milliseconds(500));
    ClusterWorld::report(status_);
  }
  /// The node has every instance that it was told to start and not to stop.
  void run_what_started() {
    status_.clear_instances();
    for (const auto& [node, order] : nodes_.started) {
      if (std::ranges::find(nodes_.stopped, order.instance()) != nodes_.stopped.end()) continue;
      auto& instance = *status_.add_instances();
      instance.set_instance(order.instance());
      instance.set_function("plates/read");
      instance.set_version(1);
      instance.set_state(wire::INSTANCE_STATE_READY);
      instance.add_addresses("unix:/" + order.instance());
    }
    report();
  }
  void scale(std::size_t instances) {
    ASSERT_TRUE(cluster_.set_scale(kName, instances));
    settle();
  }
  std::string started(std::size_t index) { return nodes_.started.at(index).second.instance(); }
  FunctionView view() { return cluster_.view().functions.at(0); }

  wire::NodeStatus status_;
};

TEST_F(Warm, InstancesStandReadyAndGetNoTasks) {
  EXPECT_THAT(nodes_.started, SizeIs(1));
  EXPECT_THAT(events_.take(), IsEmpty());
  EXPECT_EQ(view().ready, 0U);
  EXPECT_THAT(view().warm, ::testing::ElementsAre(started(0)));
}

TEST_F(Warm, ThoseOfThisMasterWaitWhateverItKeepsOfTheOneBefore) {
  ASSERT_TRUE(cluster_.set_scale(kName, 0, 4));
  settle();
  EXPECT_THAT(events_.take(), IsEmpty());
  auto& instance = *status_.add_instances();
  instance = status_.instances(0);
  instance.set_instance("plates-read-of-before");
  report();
  EXPECT_EQ(events_.take(), Lines{"ready plates-read-of-before"});
}

TEST_F(Warm, OneIsTakenUpAtOnceAndAnotherStartsInItsPlace) {
  scale(1);
  EXPECT_EQ(events_.take(), Lines{"ready " + started(0)}) << "without a word of its node";
  ASSERT_THAT(nodes_.started, SizeIs(2)) << "the next";
  run_what_started();
  EXPECT_THAT(events_.take(), IsEmpty());
  EXPECT_EQ(view().ready, 1U);
  EXPECT_THAT(view().warm, ::testing::ElementsAre(started(1)));
}

TEST_F(Warm, AFunctionThatFallsAsleepKeepsThem) {
  scale(1);
  run_what_started();
  scale(0);
  report();
  EXPECT_THAT(nodes_.stopped, ::testing::ElementsAre(started(0)));
  run_what_started();
  EXPECT_THAT(view().warm, ::testing::ElementsAre(started(1)));
  EXPECT_THAT(nodes_.started, SizeIs(2));
}

TEST_F(Warm, TheirNumberChanges) {
  ASSERT_TRUE(cluster_.set_warm(kName, 3));
  settle();
  EXPECT_THAT(nodes_.started, SizeIs(3));
  run_what_started();
  EXPECT_THAT(view().warm, SizeIs(3));
  ASSERT_TRUE(cluster_.set_warm(kName, 0));
  settle();
  EXPECT_THAT(nodes_.stopped, SizeIs(3));
}

} // namespace
} // namespace tcfdl::instance_manager::testing
