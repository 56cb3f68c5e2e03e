#include "task_manager/tests/fakes.hpp"

namespace tcfdl::task_manager::testing {
namespace {

class Repeat : public TaskManagerTest {
protected:
  Repeat() {
    add_instance("a");
    add_instance("b");
    first_ = acquire(asked_);
  }
  wire::LeaseRequest asked_ = request();
  Result<wire::LeaseGrant> first_;
};

TEST_F(Repeat, MeetsTheRunningTaskOnNoFurtherSlot) {
  const auto again = acquire(asked_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->instance(), first_->instance());
  EXPECT_EQ(lease_of(again).lease_id(), lease_of(first_).lease_id());
  EXPECT_EQ(stats().in_flight, 1U);
}

TEST_F(Repeat, MeetsTheStoredOutcome) {
  tell(first_, true, true);
  const auto again = acquire(asked_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->instance(), first_->instance());
  EXPECT_NE(lease_of(again).lease_id(), lease_of(first_).lease_id());
  EXPECT_EQ(stats().in_flight, 0U);
}

TEST_F(Repeat, OfATaskThatMayHaveBegunBeforeThisProcessMeetsItsInstance) {
  auto earlier = request();
  EXPECT_FALSE(manager_.resume(earlier, InstanceId("not here yet")));
  ASSERT_TRUE(manager_.resume(earlier, InstanceId("b")));
  EXPECT_EQ(acquire(earlier)->instance(), "b");
  EXPECT_EQ(stats().in_flight, 1U) << "on no further slot than the fixture's";
  earlier.add_exclude("b");
  EXPECT_EQ(acquire(earlier)->instance(), "b") << "it may have begun, so it runs nowhere else";
  manager_.remove_instance(InstanceId("b"), "exited");
  EXPECT_EQ(acquire(earlier).error().code(), Code::kUnavailable);
}

TEST_F(Repeat, KeepsTheCourierInTheLease) {
  auto presented = request();
  presented.set_presented(true);
  EXPECT_TRUE(lease_of(acquire(presented)).presented());
  EXPECT_FALSE(lease_of(first_).presented());
}

TEST_F(Repeat, OfAnotherCallerIsAnotherTask) {
  asked_.set_caller("other");
  EXPECT_NE(acquire(asked_)->instance(), first_->instance());
  EXPECT_EQ(stats().in_flight, 2U);
}

TEST_F(Repeat, ForAnotherFunctionIsRefused) {
  auto other = policy();
  other.name = FunctionName("voice/text");
  manager_.set_function(other);
  asked_.set_function("voice/text");
  EXPECT_EQ(acquire(asked_).error().code(), Code::kAlreadyExists);
}

TEST_F(Repeat, IsRefusedWhenTheInstanceWentAndNobodyKnowsWhetherItBegan) {
  manager_.remove_instance(InstanceId(first_->instance()), "no heartbeat");
  const auto again = acquire(asked_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kUnavailable);
  EXPECT_NE(again.error().message().find("instance lost after start"), std::string::npos);
}

TEST_F(Repeat, IsPlacedAfreshWhenItsLeaseIsGivenBackAlthoughTheInstanceWentFirst) {
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  manager_.release(lease_of(first_).lease_id());
  const auto again = acquire(asked_);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_NE(again->instance(), first_->instance());
}

TEST_F(Repeat, IsNotPlacedAfreshByWhoGivesALeaseBackThatStarted) {
  tell(first_, true, false);
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  manager_.release(lease_of(first_).lease_id());
  EXPECT_EQ(acquire(asked_).error().code(), Code::kUnavailable);
}

TEST_F(Repeat, IsRefusedWhenTheInstanceWasLostAfterTheStart) {
  tell(first_, true, false);
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  const auto again = acquire(asked_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kUnavailable);
  EXPECT_NE(again.error().message().find("instance lost after start"), std::string::npos);
  EXPECT_NE(again.error().message().find("is not declared idempotent"), std::string::npos);
}

TEST_F(Repeat, IsRefusedWhenTheInstanceRestartedUnderItsOldName) {
  tell(first_, true, true);
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  add_instance(first_->instance());
  EXPECT_EQ(acquire(asked_).error().code(), Code::kUnavailable);
}

TEST_F(Repeat, OfAnIdempotentFunctionRunsAgainAfterALoss) {
  auto idempotent = policy();
  idempotent.idempotent = true;
  manager_.set_function(idempotent);
  tell(first_, true, false);
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  EXPECT_TRUE(acquire(asked_));
}

TEST_F(Repeat, GoesElsewhereWhenTheInstanceDidNotAcceptIt) {
  asked_.add_exclude(first_->instance());
  EXPECT_NE(acquire(asked_)->instance(), first_->instance());
}

TEST_F(Repeat, StaysWhereItStartedEvenIfExcluded) {
  tell(first_, true, false);
  asked_.add_exclude(first_->instance());
  EXPECT_EQ(acquire(asked_)->instance(), first_->instance());
}

TEST_F(Repeat, IsPlacedAfreshAfterARefusalBeforeTheStart) {
  tell(first_, false, true, static_cast<std::uint32_t>(Code::kResourceExhausted));
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_TRUE(acquire(asked_));
  EXPECT_EQ(stats().in_flight, 1U) << "it runs for the first time, on a slot of its own";
}

TEST_F(Repeat, IsForgottenAfterItsTime) {
  tell(first_, true, true);
  manager_.remove_instance(InstanceId(first_->instance()), "exited");
  time_.advance(std::chrono::minutes(11));
  EXPECT_TRUE(acquire(asked_));
}

TEST_F(Repeat, ThatWaitsBesideItsTwinTakesNoSecondSlot) {
  const auto second = acquire(request());
  const auto twin = request();
  Waiting one(manager_, twin);
  Waiting two(manager_, twin);
  await_waiting(2);
  tell(first_, true, true);
  tell(second, true, true);
  EXPECT_EQ(one.get()->instance(), two.get()->instance());
  EXPECT_EQ(stats().in_flight, 1U);
}

} // namespace
} // namespace tcfdl::task_manager::testing
