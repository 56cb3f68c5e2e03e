#include "task_manager/pool.hpp"

#include <gtest/gtest.h>
#include <set>

namespace tcfdl::task_manager::testing {
namespace {

using std::chrono::minutes;
using std::chrono::steady_clock;

class PoolTest : public ::testing::Test {
protected:
  Instance& add(const std::string& id, const std::string& node = "n", std::uint64_t version = 1) {
    InstanceInfo info;
    info.id = InstanceId(id);
    info.node = NodeId(node);
    info.version = version;
    return pool_.add(std::make_shared<const InstanceInfo>(std::move(info)), nodes_[node]);
  }
  std::string choose(const Ask& ask = {}) {
    const auto* chosen = pool_.choose(ask);
    return chosen == nullptr ? "" : chosen->info->id.str();
  }
  void take_slot(Instance& instance) {
    instance.leases.push_back(nullptr);
    pool_.refresh(instance);
  }
  void give_slot(Instance& instance) {
    instance.leases.pop_back();
    pool_.refresh(instance);
  }

  std::map<std::string, Node> nodes_;
  Pool pool_{PlacementKind::kPredicted, 7};
  steady_clock::time_point now_{};
};

using Free = PoolTest;
using Speeds = PoolTest;
using Sampling = PoolTest;

TEST_F(Free, InstancesAreThoseWithASlotThatDoNotDrain) {
  pool_.set_serving(1, 2);
  auto& a = add("a");
  take_slot(a);
  EXPECT_EQ(choose(), "a");
  take_slot(a);
  EXPECT_EQ(choose(), "");
  give_slot(a);
  EXPECT_EQ(choose(), "a");
  pool_.drain(a);
  EXPECT_EQ(choose(), "");
  EXPECT_FALSE(pool_.has_ready());
}

TEST_F(Free, InstancesOnTrialTakeTasksBesideThoseThatServe) {
  pool_.set_serving(2, 1);
  auto& serving = add("serving", "n", 2);
  auto& tried = add("tried", "n", 3);
  add("older", "n", 1);
  EXPECT_EQ(pool_.slots(), 2U);
  take_slot(serving);
  EXPECT_EQ(choose(), "tried");
  give_slot(serving);
  take_slot(tried);
  EXPECT_EQ(choose(), "serving");
  pool_.set_serving(3, 1);
  EXPECT_EQ(choose(), "") << "the one that was tried is in force";
}

TEST_F(Free, InstancesAreOfTheNewestVersionThatIsReady) {
  pool_.set_serving(2, 1);
  add("old", "n", 1);
  auto& newer = add("new", "n", 2);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(choose(), "new");
  EXPECT_EQ(pool_.slots(), 1U);
  pool_.drain(newer);
  EXPECT_EQ(choose(), "old") << "until one is ready again";
}

TEST_F(Free, InstancesThatGoLeaveNothingBehind) {
  auto& a = add("a");
  add("b");
  add("c");
  pool_.remove(a);
  std::set<std::string> seen;
  for (int i = 0; i < 9; ++i) seen.insert(choose());
  EXPECT_EQ(seen, (std::set<std::string>{"b", "c"}));
  EXPECT_EQ(pool_.size(), 2U);
  EXPECT_EQ(nodes_["n"].instances.size(), 2U);
}

TEST_F(Free, ExcludedInstancesCountOnlyIfAllAre) {
  auto& a = add("a");
  auto& b = add("b");
  Ask ask;
  ask.excluded = {&a};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(choose(ask), "b");
  take_slot(b);
  EXPECT_EQ(choose(ask), "") << "busy is not gone";
  ask.excluded = {&a, &b};
  EXPECT_EQ(choose(ask), "a");
}

TEST_F(Speeds, OfANodeOutliveItsInstances) {
  auto& slow = add("slow", "east");
  add("fast", "west");
  pool_.learn(slow, 90'000, now_);
  pool_.remove(slow);
  add("slow-again", "east");
  pool_.learn(*pool_.choose({.excluded = {}, .now = now_}), 1000, now_); // west, which was not measured yet
  for (int i = 0; i < 4; ++i) EXPECT_EQ(choose({.excluded = {}, .now = now_}), "fast");
}

TEST_F(Speeds, OfThePastAreForgottenByHalves) {
  auto& slow = add("slow", "east");
  auto& fast = add("fast", "west");
  pool_.learn(slow, 9000, now_);
  for (int i = 0; i < 40; ++i) pool_.learn(fast, 1000, now_);
  EXPECT_NEAR(pool_.expected_us(slow, now_), 9000, 1);
  EXPECT_NEAR(pool_.expected_us(slow, now_ + minutes(1)), 5000, 50);
  EXPECT_LT(pool_.expected_us(slow, now_ + minutes(20)), 1100) << "so it is tried again";
}

TEST_F(Speeds, OfWaysDecideForLargeBodies) {
  auto& near = add("near", "east");
  auto& far = add("far", "west");
  for (auto* each : {&near, &far}) pool_.learn(*each, 1000, now_);
  const auto learn = [](Instance& at, double round_trip_us, double bytes_per_us) {
    at.node->ways.learn("cam", 1000, round_trip_us);
    at.node->ways.learn("cam", 1'000'000, round_trip_us + 1'000'000 / bytes_per_us);
  };
  learn(near, 100, 10);
  learn(far, 3000, 1000);
  EXPECT_EQ(choose({.from = "cam", .bytes = 100, .excluded = {}, .now = now_}), "near");
  EXPECT_EQ(choose({.from = "cam", .bytes = 10'000'000, .excluded = {}, .now = now_}), "far");
}

TEST_F(Sampling, FollowsTheSeed) {
  for (int i = 0; i < 200; ++i) add(std::to_string(i), "n" + std::to_string(i));
  Pool twin(PlacementKind::kPredicted, 7);
  std::map<std::string, Node> twins_nodes;
  for (int i = 0; i < 200; ++i) {
    InstanceInfo info;
    info.id = InstanceId(std::to_string(i));
    twin.add(std::make_shared<const InstanceInfo>(std::move(info)), twins_nodes["n" + std::to_string(i)]);
  }
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const auto chosen = choose();
    EXPECT_EQ(chosen, twin.choose({})->info->id.str());
    seen.insert(chosen);
  }
  EXPECT_GT(seen.size(), 30U);
}

TEST_F(Sampling, PrefersTheBetterOfWhatItDraws) {
  for (int i = 0; i < 200; ++i) {
    auto& one = add(std::to_string(i), "n" + std::to_string(i));
    pool_.learn(one, i < 100 ? 1000 : 50'000, now_);
  }
  int fast = 0;
  for (int i = 0; i < 400; ++i) fast += std::stoi(choose({.excluded = {}, .now = now_})) < 100 ? 1 : 0;
  EXPECT_GT(fast, 380) << "chance alone gives 200";
}

TEST_F(Sampling, LooksAtTheCallersNodeTooAndPastWhatIsExcluded) {
  for (int i = 0; i < 200; ++i) pool_.learn(add(std::to_string(i), "n" + std::to_string(i)), 1000, now_);
  const Ask local{.from = "n42", .caller_node = &nodes_["n42"], .excluded = {}, .now = now_};
  for (int i = 0; i < 20; ++i) EXPECT_EQ(choose(local), "42");
}

} // namespace
} // namespace tcfdl::task_manager::testing
