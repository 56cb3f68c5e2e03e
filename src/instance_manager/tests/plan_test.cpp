#include "instance_manager/plan.hpp"

#include <gtest/gtest.h>

namespace tcfdl::instance_manager {
namespace {

using Ids = std::vector<std::string>;

InstanceView ready(const std::string& id, const std::string& node, std::uint64_t version = 1) {
  return {.id = InstanceId(id), .node = NodeId(node), .version = version, .ready = true, .counts = true};
}
InstanceView starting(const std::string& id, const std::string& node) {
  return {.id = InstanceId(id), .node = NodeId(node), .version = 1, .ready = false, .counts = true};
}
InstanceView failing(const std::string& id, const std::string& node) {
  return {.id = InstanceId(id), .node = NodeId(node), .version = 1, .ready = false, .counts = false};
}
NodeChoice worker(const std::string& name, std::size_t instances = 0) {
  return {.node = NodeId(name), .is_master = false, .instances = instances};
}
NodeChoice master(const std::string& name) { return {.node = NodeId(name), .is_master = true}; }

Plan plan(std::size_t scale, const std::vector<InstanceView>& instances, const std::vector<NodeChoice>& nodes) {
  return make_plan(1, scale, instances, nodes);
}
template <class Id> Ids names(const std::vector<Id>& ids) {
  Ids result;
  for (const auto& id : ids) result.push_back(id.str());
  return result;
}

TEST(Plan, SpreadsOverNodesWorkersFirst) {
  const auto made = plan(3, {}, {master("m"), worker("b"), worker("a")});
  EXPECT_EQ(names(made.start), (Ids{"a", "b", "m"}));
}

TEST(Plan, PrefersNodesWithFewerInstances) {
  EXPECT_EQ(names(plan(1, {}, {worker("a", 5), worker("b", 2)}).start), Ids{"b"});
  EXPECT_EQ(names(plan(2, {ready("i", "b")}, {worker("a", 5), worker("b", 0)}).start), Ids{"a"});
}

TEST(Plan, StartsWhereThereIsRoomAndSaysWhatHasNone) {
  auto small = worker("a");
  small.room = 1;
  auto full = worker("b");
  full.room = 0;
  EXPECT_EQ(names(plan(3, {}, {small, full, master("m")}).start), (Ids{"a", "m", "m"}));
  const auto made = plan(3, {}, {small, full});
  EXPECT_EQ(names(made.start), Ids{"a"});
  EXPECT_EQ(made.unplaced, 2U);
}

TEST(Plan, PrefersNodesWithMoreLeft) {
  auto used = worker("a");
  used.in_use = 7;
  EXPECT_EQ(names(plan(1, {}, {used, worker("b", 3)}).start), Ids{"b"});
}

TEST(Plan, StopsIdleInstancesBeforeBusyOnes) {
  auto busy = ready("a1", "a");
  busy.busy = true;
  auto other = ready("a2", "a");
  other.busy = true;
  EXPECT_EQ(names(plan(2, {busy, other, ready("b1", "b")}, {}).stop), Ids{"b1"});
}

TEST(Plan, KeepsWhatIsThereWhereThatIsAskedFor) {
  const std::vector<InstanceView> three{ready("i", "a"), ready("j", "a"), ready("k", "b")};
  EXPECT_TRUE(make_plan(1, 1, three, {}, 4).stop.empty());
  EXPECT_EQ(make_plan(1, 1, three, {}, 2).stop.size(), 1U);
}

TEST(Plan, StartsNothingWithoutNodes) { EXPECT_TRUE(plan(2, {}, {}).start.empty()); }

TEST(Plan, CountsThoseThatStart) { EXPECT_TRUE(plan(1, {starting("i", "a")}, {worker("a")}).start.empty()); }

TEST(Plan, ReplacesWhatFailsElsewhere) {
  EXPECT_EQ(names(plan(1, {failing("i", "a")}, {worker("a"), worker("b", 9)}).start), Ids{"b"});
}

TEST(Plan, NeverExceedsTwiceTheScale) {
  EXPECT_TRUE(plan(1, {failing("i", "a"), failing("j", "b")}, {worker("a")}).start.empty());
}

TEST(Plan, StopsTheSurplusThatIsNotReadyThenFromTheFullestNode) {
  const auto made = plan(2, {ready("i", "a"), ready("j", "a"), failing("k", "c"), ready("l", "b")}, {worker("a")});
  EXPECT_EQ(made.stop.at(0).str(), "k");
  EXPECT_TRUE(made.stop.at(1).str() == "i" || made.stop.at(1).str() == "j");
  EXPECT_EQ(made.stop.size(), 2U);
}

TEST(Plan, KeepsOldVersionsUntilTheNewOneIsReady) {
  EXPECT_TRUE(plan(1, {ready("old", "a", 7), starting("new", "a")}, {worker("a")}).stop.empty());
  EXPECT_EQ(names(plan(1, {ready("old", "a", 7), ready("new", "a")}, {worker("a")}).stop), Ids{"old"});
}

TEST(Plan, EmptiesANodeOnceThereIsEnoughElsewhere) {
  auto leaving = ready("old", "a");
  leaving.leaves = true;
  const auto first = plan(1, {leaving}, {worker("b")});
  EXPECT_EQ(names(first.start), Ids{"b"});
  EXPECT_TRUE(first.stop.empty());
  EXPECT_TRUE(plan(1, {leaving, starting("new", "b")}, {worker("b")}).stop.empty());
  EXPECT_EQ(names(plan(1, {leaving, ready("new", "b")}, {worker("b")}).stop), Ids{"old"});
}

TEST(Plan, StopsAllAtScaleZero) { EXPECT_EQ(names(plan(0, {ready("i", "a")}, {worker("a")}).stop), Ids{"i"}); }

TEST(Plan, StartsWarmInstancesBesideTheScale) {
  EXPECT_EQ(make_plan(1, 0, {}, std::vector{worker("a")}, 0, 2).start.size(), 2U);
  auto warm = ready("w", "a");
  warm.warm = true;
  const auto refill = make_plan(1, 1, std::vector{ready("i", "a")}, std::vector{worker("a")}, 0, 1);
  EXPECT_EQ(refill.start.size(), 1U);
  EXPECT_TRUE(refill.stop.empty());
  EXPECT_TRUE(make_plan(1, 1, std::vector{ready("i", "a"), warm}, std::vector{worker("a")}, 0, 1).start.empty());
}

TEST(Plan, StopsOfWhatThereIsTooMuch) {
  auto warm = ready("w", "a");
  warm.warm = true;
  EXPECT_EQ(names(make_plan(1, 0, std::vector{ready("i", "a"), warm}, {}, 0, 1).stop), Ids{"i"});
  EXPECT_EQ(names(make_plan(1, 1, std::vector{ready("i", "a"), warm}, {}, 0, 0).stop), Ids{"w"});
}

} // namespace
} // namespace tcfdl::instance_manager
