#include "instance_manager/room.hpp"

#include <gtest/gtest.h>

namespace tcfdl::instance_manager {
namespace {

constexpr std::uint64_t kMebi = 1 << 20U;

NodeRoom node() {
  return {.memory = {1024 * kMebi, 512 * kMebi},
          .enclave_memory = {96 * kMebi, 96 * kMebi},
          .millicores = {2000, 2000},
          .labels = {{"zone", "north"}}};
}

TEST(Room, IsThatOfTheScarcestResource) {
  EXPECT_EQ(room_for({.memory = 100 * kMebi}, node()), 5U);
  EXPECT_EQ(room_for({.memory = 100 * kMebi, .enclave_memory = 40 * kMebi}, node()), 2U);
  EXPECT_EQ(room_for({.memory = 100 * kMebi, .enclave_memory = 40 * kMebi, .millicores = 1500}, node()), 1U);
  EXPECT_GE(room_for({}, node()), 1000U);
}

TEST(Room, IsNoneOnNodesWithOtherLabels) {
  EXPECT_GT(room_for({.labels = {{"zone", "north"}}}, node()), 0U);
  EXPECT_EQ(room_for({.labels = {{"zone", "south"}}}, node()), 0U);
  EXPECT_EQ(room_for({.labels = {{"zone", "north"}, {"camera", "yes"}}}, node()), 0U);
}

TEST(Room, IsNotBoundedByWhatANodeCannotTell) { EXPECT_GT(room_for({.memory = 1ULL << 40U}, NodeRoom()), 0U); }

TEST(Room, ShrinksByWhatInstancesWerePromisedAndDoNotUseYet) {
  auto room = node();
  room.reserve({.memory = 300 * kMebi, .enclave_memory = 64 * kMebi, .millicores = 500}, 100 * kMebi);
  EXPECT_EQ(room.memory.left, 312 * kMebi) << "the 100 MiB that it uses are missing there already";
  EXPECT_EQ(room.enclave_memory.left, 32 * kMebi);
  EXPECT_EQ(room.millicores.left, 1500U);
  room.reserve({.memory = 900 * kMebi}, 1000 * kMebi);
  EXPECT_EQ(room.memory.left, 312 * kMebi) << "more than its need takes nothing off";
  room.reserve({.memory = 900 * kMebi}, 0);
  EXPECT_EQ(room.memory.left, 0U);
}

TEST(Shortage, NamesEachThingThatIsMissing) {
  EXPECT_EQ(shortage({.memory = 100 * kMebi}, node()), "");
  EXPECT_EQ(shortage({.memory = 2048 * kMebi}, node()), "memory: 2.0 GiB wanted, 512.0 MiB of 1.0 GiB left");
  EXPECT_EQ(shortage({.enclave_memory = 128 * kMebi, .millicores = 2500}, node()),
            "enclave memory: 128.0 MiB wanted, 96.0 MiB of 96.0 MiB left, "
            "processor: 2500 millicores wanted, 2000 of 2000 left");
  EXPECT_EQ(shortage({.labels = {{"camera", "yes"}, {"zone", "south"}}}, node()),
            "label camera=yes wanted, it has none, label zone=south wanted, it has north");
}

TEST(TenthsInUse, AreThoseOfTheResourceThatIsUsedMost) {
  EXPECT_EQ(tenths_in_use(node()), 5U);
  auto full = node();
  full.reserve({.millicores = 2000}, 0);
  EXPECT_EQ(tenths_in_use(full), 10U);
  EXPECT_EQ(tenths_in_use(NodeRoom()), 0U);
}

} // namespace
} // namespace tcfdl::instance_manager
