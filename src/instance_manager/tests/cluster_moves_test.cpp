#include "instance_manager/tests/cluster_world.hpp"

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::seconds;

/// Two workers of ten cores each that report each second.
class ClusterMovesTest : public ClusterWorld {
protected:
  void SetUp() override {
    for (auto* node : {&here_, &there_}) {
      node->set_node(node == &here_ ? "here" : "there");
      node->set_role("worker");
      node->set_tee_kind("software");
      node->set_cores(10);
      node->set_memory_total(1000);
      node->set_memory_available(900);
      node->set_load(1);
    }
  }
  static wire::InstanceStatus& add(wire::NodeStatus& node, const std::string& id,
                                   const std::string& function = "plates/read") {
    auto& instance = *node.add_instances();
    instance.set_instance(id);
    instance.set_function(function);
    instance.set_version(1);
    instance.set_state(wire::INSTANCE_STATE_READY);
    instance.add_addresses("unix:/" + id);
    return instance;
  }
  void want(std::size_t scale, const std::string& function = "plates/read", const Needs& needs = {}) {
    ASSERT_TRUE(cluster_.set_function(
        {.descriptor = make_descriptor(function), .manifest = "manifest", .scale = scale, .needs = needs}));
    settle();
  }
  /// What was ordered runs and what was stopped is gone at once, unless nodes are slow. Both report each second.
  void pass(seconds time, const std::function<void()>& use = {}) {
    for (; time.count() > 0; --time) {
      time_.advance(seconds(1));
      if (!slow_) obey();
      if (use) use();
      report(here_);
      report(there_);
    }
  }
  void obey() {
    for (; started_ < nodes_.started.size(); ++started_) {
      const auto& [node, order] = nodes_.started[started_];
      const auto descriptor = wire::parse<wire::Descriptor>(order.descriptor().statement()).value();
      add(node == "here" ? here_ : there_, order.instance(), descriptor.name());
    }
    for (const auto& stopped : nodes_.stopped) {
      for (auto* node : {&here_, &there_}) {
        auto& all = *node->mutable_instances();
        const auto found = std::ranges::find(all, stopped, &wire::InstanceStatus::instance);
        if (found != all.end()) all.erase(found);
      }
    }
  }
  std::vector<std::string> places() {
    std::vector<std::string> all;
    for (const auto& [node, order] : nodes_.started) all.push_back(node);
    return all;
  }

  wire::NodeStatus here_;
  wire::NodeStatus there_;
  bool slow_ = false;
  std::size_t started_ = 0; // of the orders, those that were obeyed
};

TEST_F(ClusterMovesTest, WhatUsesMostLeavesALoadedNodeOnceItIsReplaced) {
  add(here_, "light", "other").set_rss(500);
  auto& heavy = add(here_, "heavy");
  want(1, "other");
  want(1);
  pass(seconds(60));
  EXPECT_TRUE(nodes_.started.empty());
  here_.set_load(9.5);
  slow_ = true;
  pass(seconds(25), [&] { heavy.set_cpu_us(heavy.cpu_us() + 3'000'000); });
  EXPECT_TRUE(nodes_.started.empty()) << "it may pass";
  pass(seconds(10), [&] { heavy.set_cpu_us(heavy.cpu_us() + 3'000'000); });
  ASSERT_EQ(places(), std::vector<std::string>{"there"});
  EXPECT_EQ(nodes_.started[0].second.instance().substr(0, 11), "plates-read");
  EXPECT_TRUE(nodes_.stopped.empty()) << "its place is not taken yet";
  slow_ = false;
  pass(seconds(2));
  EXPECT_EQ(nodes_.stopped, std::vector<std::string>{"heavy"});
}

TEST_F(ClusterMovesTest, OneMovesAtATimeAndNotAgainSoon) {
  add(here_, "a");
  add(here_, "b", "other");
  want(1);
  want(1, "other");
  here_.set_load(10);
  pass(seconds(60));
  EXPECT_EQ(places(), std::vector<std::string>{"there"});
  EXPECT_EQ(nodes_.stopped.size(), 1U);
  pass(seconds(25));
  EXPECT_EQ(nodes_.started.size(), 1U) << "first it is seen what came of it";
  pass(seconds(60));
  EXPECT_EQ(places(), (std::vector<std::string>{"there", "there"})) << "the node is loaded still";
  EXPECT_EQ(here_.instances_size(), 0);
  here_.set_load(0);
  there_.set_load(10);
  pass(seconds(200));
  EXPECT_EQ(nodes_.started.size(), 2U) << "a load is not led around";
}

TEST_F(ClusterMovesTest, NobodyMovesToANodeThatIsLoadedTooOrHasNoRoom) {
  add(here_, "a");
  want(1);
  here_.set_load(10);
  there_.set_load(7);
  pass(seconds(60));
  EXPECT_TRUE(nodes_.started.empty());
  there_.set_load(1);
  want(1, "plates/read", {.memory = 950});
  pass(seconds(60));
  EXPECT_TRUE(nodes_.started.empty());
  want(1);
  pass(seconds(60));
  EXPECT_EQ(places(), std::vector<std::string>{"there"});
}

TEST_F(ClusterMovesTest, AnIdleNodeIsAskedHowItIsBeforeAnInstanceMovesThere) {
  add(here_, "a");
  want(1);
  pass(seconds(20));
  here_.set_load(10);
  nodes_.asked.clear();
  const auto idle = [&](seconds time) {
    for (; time.count() > 0; --time) {
      time_.advance(seconds(1));
      report(here_);
      wire::NodeStatus unchanged;
      unchanged.set_node("there");
      unchanged.set_unchanged(true);
      report(unchanged);
    }
  };
  idle(seconds(40));
  EXPECT_EQ(nodes_.asked, std::vector<std::string>{"there"});
  EXPECT_TRUE(nodes_.started.empty()) << "what it said long ago does not count";
  report(there_);
  idle(seconds(2));
  EXPECT_EQ(places(), std::vector<std::string>{"there"});
}

TEST_F(ClusterMovesTest, MemoryThatIsShortIsALoad) {
  add(here_, "a");
  want(1);
  here_.set_memory_available(50);
  pass(seconds(60));
  EXPECT_EQ(places(), std::vector<std::string>{"there"});
}

TEST_F(ClusterMovesTest, AMoveThatFindsNoPlaceIsGivenUp) {
  add(here_, "a");
  want(1);
  here_.set_load(10);
  nodes_.refusal = Error(Code::kResourceExhausted, "no");
  pass(seconds(400));
  EXPECT_TRUE(nodes_.stopped.empty());
  nodes_.refusal.reset();
  here_.set_load(1);
  pass(seconds(60));
  EXPECT_TRUE(nodes_.started.empty()) << "it stays where it is";
}

} // namespace
} // namespace tcfdl::instance_manager::testing
