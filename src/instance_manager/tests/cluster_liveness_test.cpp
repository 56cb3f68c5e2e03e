#include "instance_manager/tests/cluster_world.hpp"

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// A cluster with one worker, which has one instance and is idle.
class Liveness : public ClusterWorld {
protected:
  Liveness() {
    EXPECT_TRUE(cluster_.set_function({.descriptor = make_descriptor("plates/read", 1), .manifest = "manifest"}));
    status_.set_node("worker");
    status_.set_tee_kind("software");
    status_.set_next_within_ms(static_cast<std::uint32_t>(milliseconds(minutes(5)).count()));
    auto& instance = *status_.add_instances();
    instance.set_instance("plates-read-1");
    instance.set_function("plates/read");
    instance.set_version(1);
    instance.set_state(wire::INSTANCE_STATE_READY);
    instance.add_addresses("unix:/a");
    report(status_);
  }
  void report_nothing_new() {
    wire::NodeStatus status;
    status.set_node("worker");
    status.set_unchanged(true);
    status.set_next_within_ms(status_.next_within_ms());
    report(status);
  }
  void advance(milliseconds by) {
    for (const auto end = time_() + by; time_() < end;) {
      time_.advance(std::min<milliseconds>(seconds(1), std::chrono::duration_cast<milliseconds>(end - time_())));
      settle();
    }
  }
  [[nodiscard]] bool is_there() const { return !cluster_.view().nodes.empty(); }

  wire::NodeStatus status_;
};

TEST_F(Liveness, AnIdleNodeMayBeSilentForAsLongAsItSaid) {
  advance(minutes(5));
  EXPECT_FALSE(cluster_.view().nodes.at(0).overdue);
  advance(minutes(4));
  EXPECT_TRUE(is_there());
  EXPECT_TRUE(cluster_.view().nodes.at(0).overdue);
  advance(minutes(2));
  EXPECT_FALSE(is_there());
  EXPECT_EQ(events_.lines.back(), "gone plates-read-1");
}

TEST_F(Liveness, ANodeAtWorkIsLostAfterThreeSeconds) {
  status_.set_next_within_ms(1000);
  report(status_);
  advance(milliseconds(2500));
  EXPECT_TRUE(is_there());
  advance(seconds(1));
  EXPECT_FALSE(is_there());
}

TEST_F(Liveness, NothingNewConfirmsWhatWasSaidBefore) {
  for (int i = 0; i < 4; ++i) {
    advance(minutes(5));
    report_nothing_new();
  }
  EXPECT_TRUE(is_there());
  EXPECT_EQ(cluster_.view().functions.at(0).instances.size(), 1U);
  EXPECT_EQ(events_.lines, (std::vector<std::string>{"ready plates-read-1"}));
}

TEST_F(Liveness, NothingNewOfANodeThatIsNotKnownMakesItSayAll) {
  advance(minutes(11));
  nodes_.asked.clear();
  report_nothing_new();
  EXPECT_FALSE(is_there());
  EXPECT_EQ(nodes_.asked, std::vector<std::string>{"worker"});
}

TEST_F(Liveness, ASuspectThatDoesNotAnswerIsLostAtOnceAndItsInstancesAreReplaced) {
  nodes_.silent = true;
  wire::NodeStatus other;
  other.set_node("other");
  other.set_tee_kind("software");
  report(other);
  cluster_.suspect_node(NodeId("worker"));
  settle();
  EXPECT_EQ(nodes_.probed, std::vector<std::string>{"worker"});
  EXPECT_EQ(cluster_.view().nodes.size(), 1U);
  EXPECT_EQ(events_.lines.back(), "gone plates-read-1");
  ASSERT_EQ(nodes_.started.size(), 1U);
  EXPECT_EQ(nodes_.started[0].first, "other");
}

TEST_F(Liveness, ASuspectThatAnswersStays) {
  cluster_.suspect_node(NodeId("worker"));
  settle();
  EXPECT_EQ(nodes_.probed.size(), 1U);
  EXPECT_TRUE(is_there());
}

TEST_F(Liveness, ANodeAtWorkIsNotProbed) {
  status_.set_next_within_ms(1000);
  report(status_);
  cluster_.suspect_node(NodeId("worker"));
  settle();
  EXPECT_TRUE(nodes_.probed.empty());
}

TEST_F(Liveness, ALostNodeIsAskedUntilItIsBack) {
  nodes_.silent = true;
  cluster_.suspect_node(NodeId("worker"));
  settle();
  ASSERT_FALSE(is_there());
  advance(seconds(5));
  EXPECT_GE(nodes_.asked.size(), 2U);
  report(status_);
  EXPECT_TRUE(is_there());
  nodes_.asked.clear();
  advance(seconds(5));
  EXPECT_TRUE(nodes_.asked.empty());
}

TEST_F(Liveness, NodesOfBeforeARestartAreAskedAtOnce) {
  cluster_.expect_nodes({"worker", "other"});
  settle();
  EXPECT_EQ(nodes_.asked, (std::vector<std::string>{"worker", "other"}));
}

} // namespace
} // namespace tcfdl::instance_manager::testing
