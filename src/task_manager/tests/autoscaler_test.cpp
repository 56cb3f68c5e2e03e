#include "task_manager/autoscaler.hpp"

#include <cmath>
#include <gmock/gmock.h>

namespace tcfdl::task_manager {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Ticks an autoscaler once a second; whatever it wants is ready with the next tick.
class AutoscalerTest : public ::testing::Test {
protected:
  ScaleDecision tick(std::size_t tasks, seconds times = seconds(1)) {
    for (; times.count() > 0; --times) {
      now_ += seconds(1);
      load_.in_flight = std::min(tasks, load_.ready * load_.concurrency);
      load_.waiting = tasks - load_.in_flight;
      last_ = scaler_.decide(bounds_, load_, now_);
      load_.ready = last_.wanted;
    }
    return last_;
  }

  AutoscalingSettings settings_;
  ScaleBounds bounds_{.min = 1, .max = 20};
  FunctionLoad load_{.ready = 1};
  Autoscaler::TimePoint now_{std::chrono::hours(1)};
  Autoscaler scaler_{settings_, now_};
  ScaleDecision last_;
};

TEST_F(AutoscalerTest, KeepsAFunctionWithoutTasksAtItsMinimum) {
  EXPECT_EQ(tick(0, seconds(300)).wanted, 1U);
  bounds_.min = 3;
  EXPECT_EQ(tick(0).wanted, 3U);
  EXPECT_THAT(last_.why, HasSubstr("kept at min"));
}

TEST_F(AutoscalerTest, FollowsTheStableAverageOverTheTargetUtilisation) {
  load_.concurrency = 10;
  tick(14, seconds(60));
  EXPECT_EQ(last_.wanted, 2U) << "14 tasks, 7 an instance";
  tick(15, seconds(60));
  EXPECT_EQ(last_.wanted, 3U);
  EXPECT_THAT(last_.why, HasSubstr("15.00 tasks on average of 60000 ms, 7.00 an instance"));
}

TEST_F(AutoscalerTest, ABurstIsMetLongBeforeTheStableWindowKnowsOfIt) {
  tick(0, seconds(60));
  tick(10);
  EXPECT_EQ(last_.wanted, 3U) << "10 tasks for a sixth of the panic window";
  EXPECT_THAT(last_.why, HasSubstr("a burst"));
  tick(10, seconds(5));
  EXPECT_EQ(last_.wanted, 15U) << "ten tasks, 0.7 an instance";
}

TEST_F(AutoscalerTest, WhatIsTakenUpFromTheWarmPoolStaysForAStableWindow) {
  tick(0, seconds(60));
  scaler_.raise(3, now_);
  EXPECT_EQ(tick(1).wanted, 3U);
  tick(0, seconds(58));
  EXPECT_EQ(last_.wanted, 3U);
  tick(0, seconds(10));
  EXPECT_EQ(last_.wanted, 1U);
}

TEST_F(AutoscalerTest, ALoadBelowThePanicThresholdIsNoBurst) {
  load_.concurrency = 10;
  tick(14, seconds(150));
  ASSERT_EQ(last_.wanted, 2U);
  tick(20, seconds(20));
  EXPECT_THAT(last_.why, ::testing::Not(HasSubstr("a burst"))) << "3 instances for 2 that are ready";
  tick(45, seconds(6));
  EXPECT_THAT(last_.why, HasSubstr("a burst")) << "seven for three";
}

TEST_F(AutoscalerTest, NothingFallsForAStableWindowAfterABurst) {
  tick(0, seconds(60));
  tick(10, seconds(6));
  ASSERT_EQ(last_.wanted, 15U);
  tick(0, seconds(53));
  EXPECT_EQ(last_.wanted, 15U) << "the burst was seen a minute ago";
  tick(0, seconds(10));
  EXPECT_LT(last_.wanted, 15U);
  tick(0, seconds(60));
  EXPECT_EQ(last_.wanted, 1U);
}

TEST_F(AutoscalerTest, RisesAndFallsByAFactorADecision) {
  tick(0, seconds(60));
  bounds_.max = 1000;
  tick(2000);
  EXPECT_EQ(last_.wanted, 10U) << "ten times the one that was ready";
  tick(2000, seconds(4));
  EXPECT_EQ(last_.wanted, 1000U);
  EXPECT_THAT(last_.why, HasSubstr("but for max"));
  // With what is ready made up, so that one decision is seen by itself.
  Autoscaler calm(settings_, now_);
  load_ = {.ready = 40};
  EXPECT_EQ(calm.decide(bounds_, load_, now_ + seconds(61)).wanted, 20U) << "half of 40 stays";
}

TEST_F(AutoscalerTest, TheFirstTaskStartsAnInstanceAtOnce) {
  bounds_.min = 0;
  load_.ready = 0;
  ASSERT_EQ(tick(0, seconds(5)).wanted, 0U) << "what is deployed with min 0 is not started";
  load_.waiting = 1;
  now_ += milliseconds(1);
  last_ = scaler_.decide(bounds_, load_, now_);
  EXPECT_EQ(last_.wanted, 1U);
  EXPECT_THAT(last_.why, HasSubstr("1 tasks wait and no instance is ready"));
}

TEST_F(AutoscalerTest, ManyFirstTasksStartAsManyInstancesAsTheyNeed) {
  bounds_.min = 0;
  load_ = {.waiting = 5, .concurrency = 2};
  EXPECT_EQ(scaler_.decide(bounds_, load_, now_ + milliseconds(1)).wanted, 3U);
}

TEST_F(AutoscalerTest, GoesToZeroAfterAnIdleWindowAndItsGrace) {
  bounds_.min = 0;
  load_.ready = 0;
  tick(1, seconds(5));
  ASSERT_GE(last_.wanted, 1U);
  tick(0, seconds(89));
  EXPECT_EQ(last_.wanted, 1U);
  EXPECT_THAT(last_.why, HasSubstr("no task for 89000 ms"));
  tick(0);
  EXPECT_EQ(last_.wanted, 0U);
  tick(1);
  EXPECT_EQ(last_.wanted, 1U) << "and back";
}

TEST_F(AutoscalerTest, TasksThatAreOverBetweenTwoDecisionsKeepItAwake) {
  bounds_.min = 0;
  for (int i = 0; i < 200; ++i) {
    ++load_.ended;
    EXPECT_GE(tick(0).wanted, 1U);
  }
}

TEST_F(AutoscalerTest, CountsTasksThatItNeverSawByTheirRunTime) {
  load_.service_us = 100'000;
  for (int i = 0; i < 60; ++i) {
    load_.ended += 21; // 21 a second of 0.1 s
    tick(0);
  }
  EXPECT_EQ(last_.wanted, 3U) << "2.1 tasks, 0.7 an instance";
  EXPECT_NEAR(last_.rate, 21, 0.1);
}

TEST_F(AutoscalerTest, WhatRunsAtItsStartStaysForTheFirstWindow) {
  load_.ready = 7;
  EXPECT_EQ(tick(0, seconds(59)).wanted, 7U) << "a restarted master knows no load yet";
  EXPECT_LT(tick(0, seconds(10)).wanted, 7U);
}

TEST_F(AutoscalerTest, DoesNotMultiplyWhatDoesNotStart) {
  bounds_.min = 0;
  load_ = {.waiting = 1, .ready = 0};
  now_ += milliseconds(1);
  ASSERT_EQ(scaler_.decide(bounds_, load_, now_).wanted, 1U);
  load_.waiting = 100;
  load_.failing = true;
  for (int i = 0; i < 30; ++i) {
    now_ += seconds(1);
    EXPECT_EQ(scaler_.decide(bounds_, load_, now_).wanted, 1U);
  }
}

TEST_F(AutoscalerTest, AResponseTimeTargetHasMoreInstancesThanUtilisationAsksFor) {
  settings_.target_utilisation = 100;
  Autoscaler scaler(settings_, now_);
  load_ = {.in_flight = 4, .service_us = 100'000, .ready = 4};
  const auto run = [&](milliseconds target) {
    bounds_.response_time = target;
    for (int i = 0; i < 60; ++i) last_ = scaler.decide(bounds_, load_, now_ += seconds(1));
    return last_.wanted;
  };
  EXPECT_EQ(run(milliseconds(0)), 4U);
  const auto relaxed = run(milliseconds(200));
  EXPECT_EQ(relaxed, 5U) << "four slots would always be busy";
  EXPECT_GT(run(milliseconds(102)), relaxed);
  EXPECT_THAT(last_.why, HasSubstr("are to be answered within 102 ms"));
}

TEST_F(AutoscalerTest, AResponseTimeBelowTheRunTimeIsSaidAndNotChased) {
  load_.service_us = 500'000;
  bounds_.response_time = milliseconds(400);
  EXPECT_EQ(tick(1, seconds(60)).wanted, 2U);
  EXPECT_THAT(last_.why, HasSubstr("a task runs 500 ms, so no number of instances answers within 400 ms"));
}

TEST(PredictedWait, IsThatOfOneServerAndGrowsWithoutBound) {
  // M/M/1 is exact: ρ/(1−ρ) service times.
  EXPECT_NEAR(predicted_wait(0.5, 1, 2.0), 2.0, 1e-9);
  EXPECT_NEAR(predicted_wait(0.9, 1, 1.0), 9.0, 1e-9);
  // Erlang C of 4 busy of 5 servers: 0.5541 service times.
  EXPECT_NEAR(predicted_wait(4, 5, 1.0), 0.5541, 0.03);
  EXPECT_TRUE(std::isinf(predicted_wait(3, 3, 1.0)));
}

TEST(LoadWindow, AveragesOverTheWholeWindowWhatItWasTold) {
  const LoadWindow::TimePoint start(std::chrono::hours(1));
  LoadWindow window(seconds(10), start);
  window.add(4, start + seconds(5));
  EXPECT_DOUBLE_EQ(window.average(seconds(10), start + seconds(5)), 2) << "before the start there was no load";
  window.add(0, start + seconds(10));
  EXPECT_DOUBLE_EQ(window.average(seconds(10), start + seconds(10)), 2);
  EXPECT_DOUBLE_EQ(window.average(seconds(5), start + seconds(10)), 0);
  EXPECT_DOUBLE_EQ(window.average(seconds(8), start + seconds(10)), 1.5) << "three of eight seconds";
  window.add(9, start + seconds(10));
  EXPECT_DOUBLE_EQ(window.average(seconds(10), start + seconds(10)), 2) << "no time passed";
}

} // namespace
} // namespace tcfdl::task_manager
