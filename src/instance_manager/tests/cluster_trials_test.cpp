#include "instance_manager/tests/cluster_world.hpp"

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Trials : public ClusterWorld {
protected:
  Trials() {
    status_.set_node("worker-1");
    status_.set_tee_kind("software");
    want(1);
    add("old", 1);
    report();
    begin(2);
  }
  void advance(milliseconds by) {
    for (milliseconds done{0}; done < by; done += milliseconds(500)) {
      time_.advance(milliseconds(500));
      report(); // the node is alive
    }
  }
  void report() { ClusterWorld::report(status_); }
  wire::InstanceStatus& add(const std::string& id, std::uint64_t version) {
    auto& instance = *status_.add_instances();
    instance.set_instance(id);
    instance.set_function("plates/read");
    instance.set_version(version);
    instance.set_state(wire::INSTANCE_STATE_READY);
    instance.add_addresses("unix:/" + id);
    return instance;
  }
  void want(std::uint64_t version) {
    ASSERT_TRUE(cluster_.set_function({.descriptor = make_descriptor("plates/read", version), .manifest = {}}));
    settle();
  }
  void begin(std::uint64_t version) {
    ASSERT_TRUE(cluster_.begin_trial({.descriptor = make_descriptor("plates/read", version),
                                      .manifest = {},
                                      .health = {.ready_within = seconds(20), .trial = seconds(5), .failures = 3}}));
    settle();
  }
  std::optional<TrialView> trial() { return cluster_.view().functions.at(0).trial; }
  static void fail(wire::InstanceStatus& instance, std::uint32_t failures) {
    instance.set_state(wire::INSTANCE_STATE_BACKING_OFF);
    instance.set_failures(failures);
    instance.set_last_error("exit status 3");
  }

  wire::NodeStatus status_;
};

TEST_F(Trials, AVersionThatStaysReadyPassesAndReplacesTheOneBeforeOnceItIsInForce) {
  ASSERT_THAT(nodes_.started, SizeIs(1));
  EXPECT_EQ(nodes_.started[0].second.health().ready_within_ms(), 20'000U);
  const auto tried = nodes_.started[0].second.instance();
  add(tried, 2);
  report();
  EXPECT_EQ(events_.last_ready.instance.str(), tried) << "it takes tasks";
  ASSERT_TRUE(trial());
  EXPECT_EQ(trial()->ready, 1U);
  advance(seconds(4));
  EXPECT_THAT(events_.trials, IsEmpty());
  advance(seconds(2));
  ASSERT_THAT(events_.trials, SizeIs(1)) << "told once";
  EXPECT_EQ(events_.trials[0].version, 2U);
  EXPECT_EQ(events_.trials[0].failure, "");
  advance(seconds(2));
  EXPECT_THAT(events_.trials, SizeIs(1));
  EXPECT_THAT(nodes_.stopped, IsEmpty()) << "both until it is in force";
  want(2);
  advance(seconds(1));
  EXPECT_THAT(nodes_.stopped, ::testing::ElementsAre("old"));
  EXPECT_FALSE(trial());
}

TEST_F(Trials, FailedRunsEndATrialAndItsInstances) {
  const auto tried = nodes_.started.at(0).second.instance();
  const int index = status_.instances_size();
  add(tried, 2);
  fail(*status_.mutable_instances(index), 2);
  report();
  EXPECT_THAT(events_.trials, IsEmpty());
  EXPECT_EQ(trial()->failures, 2U);
  status_.mutable_instances(index)->set_failures(3);
  report();
  ASSERT_THAT(events_.trials, SizeIs(1));
  EXPECT_THAT(events_.trials[0].failure,
              HasSubstr("3 runs of its instances failed, the last of " + tried + ": exit status 3"));
  EXPECT_THAT(nodes_.stopped, ::testing::ElementsAre(tried));
  EXPECT_EQ(cluster_.view().functions.at(0).problem, "") << "the function itself runs";
  advance(seconds(30));
  EXPECT_THAT(nodes_.started, SizeIs(1)) << "no more of it are started";
}

TEST_F(Trials, AFailureBeginsTheTimeAnew) {
  const auto tried = nodes_.started.at(0).second.instance();
  const int index = status_.instances_size();
  add(tried, 2);
  advance(seconds(4));
  fail(*status_.mutable_instances(index), 1);
  report();
  status_.mutable_instances(index)->set_state(wire::INSTANCE_STATE_READY);
  advance(seconds(4));
  EXPECT_THAT(events_.trials, IsEmpty());
  advance(seconds(2));
  ASSERT_THAT(events_.trials, SizeIs(1));
  EXPECT_EQ(events_.trials[0].failure, "");
}

TEST_F(Trials, AVersionThatDoesNotGetReadyIsGivenUpInTime) {
  add(nodes_.started.at(0).second.instance(), 2).set_state(wire::INSTANCE_STATE_STARTING);
  advance(seconds(19));
  EXPECT_THAT(events_.trials, IsEmpty());
  advance(seconds(2));
  ASSERT_THAT(events_.trials, SizeIs(1));
  EXPECT_THAT(events_.trials[0].failure, HasSubstr("0 of 1 instances were ready after 20 s"));
}

TEST_F(Trials, ANextVersionTakesTheTrialsPlace) {
  add(nodes_.started.at(0).second.instance(), 2);
  report();
  begin(3);
  advance(seconds(1));
  EXPECT_THAT(nodes_.stopped, ::testing::ElementsAre(nodes_.started[0].second.instance()));
  ASSERT_THAT(nodes_.started, SizeIs(2));
  EXPECT_EQ(trial()->version, 3U);
  cluster_.end_trial(FunctionName("plates/read"), 2);
  settle();
  EXPECT_TRUE(trial()) << "another one's";
  cluster_.end_trial(FunctionName("plates/read"), 3);
  settle();
  EXPECT_FALSE(trial());
  EXPECT_THAT(events_.trials, IsEmpty());
}

TEST_F(Trials, AFunctionAtZeroIsTriedWithOneInstance) {
  ASSERT_TRUE(cluster_.set_scale(FunctionName("plates/read"), 0));
  advance(seconds(1));
  ASSERT_TRUE(trial());
  EXPECT_EQ(trial()->wanted, 1U);
}

} // namespace
} // namespace tcfdl::instance_manager::testing
