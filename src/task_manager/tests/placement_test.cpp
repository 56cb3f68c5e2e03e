#include "task_manager/placement.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace tcfdl::task_manager {
namespace {

std::optional<std::size_t> chosen(const std::vector<Candidate>& candidates, std::size_t turn = 0) {
  return choose(candidates, turn);
}

TEST(Placement, FindsNothingAmongNoneAndAmongBusyOnes) {
  EXPECT_FALSE(chosen({}));
  EXPECT_FALSE(chosen({{.in_flight = 2, .concurrency = 2}}));
}

TEST(Placement, PredictsTransferWaitAndServiceTime) {
  EXPECT_DOUBLE_EQ(predicted_us({.in_flight = 1, .concurrency = 2, .service_us = 100, .transfer_us = 30}), 180);
}

TEST(Placement, TakesTheInstanceThatIsDoneFirst) {
  EXPECT_EQ(chosen({{.service_us = 9000}, {.service_us = 1000, .transfer_us = 5000}}), 1) << "fast but far";
  EXPECT_EQ(chosen({{.service_us = 9000}, {.service_us = 1000, .transfer_us = 9000}}), 0) << "slow but near";
  EXPECT_EQ(chosen({{.in_flight = 3, .concurrency = 4, .service_us = 1000}, {.concurrency = 4, .service_us = 1500}}), 1)
      << "what runs there already counts";
}

TEST(Placement, TakesALocalOneWhenItIsClose) {
  EXPECT_EQ(chosen({{.service_us = 10'000}, {.service_us = 10'900, .local = true}}), 1);
  EXPECT_EQ(chosen({{.service_us = 10'000}, {.service_us = 13'000, .local = true}}), 0);
}

TEST(Placement, ComparesLoadRelativeToConcurrency) {
  EXPECT_EQ(chosen({{.in_flight = 1, .concurrency = 2}, {.in_flight = 3, .concurrency = 8}}), 1);
}

TEST(Placement, PrefersTheFasterOfEquallyLoaded) {
  EXPECT_EQ(chosen({{.service_us = 300}, {.service_us = 100}, {.service_us = 200}}), 1);
}

TEST(Placement, TakesTurnsAmongEquals) {
  const std::vector<Candidate> equals(3);
  EXPECT_EQ(chosen(equals, 0), 0);
  EXPECT_EQ(chosen(equals, 1), 1);
  EXPECT_EQ(chosen(equals, 5), 2);
}

TEST(Placement, SkipsExcludedEvenWhenTheOthersAreBusy) {
  EXPECT_FALSE(chosen({{.excluded = true}, {.in_flight = 1}}));
  EXPECT_EQ(chosen({{.excluded = true}, {}}), 1);
}

TEST(Placement, UsesExcludedWhenThereAreNoOthers) { EXPECT_EQ(chosen({{.excluded = true}}), 0); }

TEST(MovingAverage, StartsAtTheFirstSampleAndMovesAFifth) {
  EXPECT_DOUBLE_EQ(moving_average(0, 100), 100);
  EXPECT_DOUBLE_EQ(moving_average(100, 200), 120);
}

} // namespace
} // namespace tcfdl::task_manager
