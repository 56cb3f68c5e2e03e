#include "task_manager/tests/fakes.hpp"

namespace tcfdl::task_manager::testing {
namespace {

using std::chrono::milliseconds;
class Lease : public TaskManagerTest {
protected:
  Lease() { add_instance("a"); }
};

TEST_F(Lease, HoldsASlotUntilDone) {
  const auto grant = acquire(request());
  EXPECT_EQ(stats().in_flight, 1U);
  tell(grant, true, false);
  EXPECT_EQ(stats().in_flight, 1U);
  tell(grant, false, true, 0, 250);
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_EQ(stats().done[0], 1U);
  EXPECT_DOUBLE_EQ(stats().service_us, 250);
}

TEST_F(Lease, CountsOutcomesByCode) {
  tell(acquire(request()), true, true, 13, 5);
  tell(acquire(request()), true, true, 999, 5);
  EXPECT_EQ(stats().done[13], 1U);
  EXPECT_EQ(stats().done[static_cast<std::size_t>(Code::kUnknown)], 1U);
  EXPECT_DOUBLE_EQ(stats().service_us, 0);
}

TEST_F(Lease, IsReclaimedWhenItsTaskDoesNotStart) {
  ASSERT_TRUE(acquire(request()));
  time_.advance(milliseconds(4999));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 1U);
  time_.advance(milliseconds(1));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_EQ(stats().reclaimed, 1U);
}

TEST_F(Lease, ThatNobodyTookMakesItsInstanceTheLastChoiceForATime) {
  const auto untaken = acquire(request());
  time_.advance(milliseconds(5000));
  manager_.reclaim();
  add_instance("b");
  const auto choice = [&] {
    const auto grant = acquire(request());
    tell(grant, true, true);
    return grant->instance();
  };
  for (int i = 0; i < 4; ++i) EXPECT_EQ(choice(), "b");
  const auto held = acquire(request());
  Waiting waiting(manager_, request());
  await_waiting(1); // rather than to go to the silent one
  tell(held, true, true);
  EXPECT_EQ(waiting.get()->instance(), "b");
  manager_.remove_instance(InstanceId("b"), "exited");
  EXPECT_EQ(acquire(request())->instance(), "a") << "it is all there is";
}

TEST_F(Lease, OfASilentInstanceIsTriedAgainLaterAndOnceTakenNothingIsHeldAgainstIt) {
  ASSERT_TRUE(acquire(request()));
  time_.advance(milliseconds(5000));
  manager_.reclaim();
  add_instance("b");
  const auto held = acquire(request());
  EXPECT_EQ(held->instance(), "b");
  time_.advance(milliseconds(5000));
  const auto probe = acquire(request());
  ASSERT_EQ(probe->instance(), "a");
  tell(probe, true, true);
  for (int i = 0; i < 4; ++i) {
    const auto grant = acquire(request());
    EXPECT_EQ(grant->instance(), "a");
    tell(grant, true, true);
  }
}

TEST_F(Lease, ThatStartedIsReclaimedAfterItsDeadlineAndGrace) {
  const auto grant = acquire(request(10'000));
  tell(grant, true, false);
  time_.advance(milliseconds(11'000));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 1U);
  time_.advance(milliseconds(1'001));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 0U);
}

TEST_F(Lease, PassesItsSlotOnWhenReclaimed) {
  ASSERT_TRUE(acquire(request()));
  Waiting waiting(manager_, request());
  await_waiting(1);
  time_.advance(milliseconds(5000));
  manager_.reclaim();
  EXPECT_TRUE(waiting.get());
}

TEST_F(Lease, IsReclaimedByTheTimerThread) {
  manager_.start();
  ASSERT_TRUE(acquire(request()));
  time_.advance(milliseconds(5000));
  while (stats().reclaimed == 0) std::this_thread::yield();
  EXPECT_EQ(stats().in_flight, 0U);
}

TEST_F(Lease, CanBeReleasedBeforeTheStartOnly) {
  const auto unused = acquire(request());
  manager_.release(lease_of(unused).lease_id());
  EXPECT_EQ(stats().in_flight, 0U);
  const auto used = acquire(request());
  tell(used, true, false);
  manager_.release(lease_of(used).lease_id());
  EXPECT_EQ(stats().in_flight, 1U);
}

TEST_F(Lease, IgnoresEventsOfOthers) {
  const auto grant = acquire(request());
  wire::TaskEvent event;
  event.set_lease_id("unknown");
  event.set_done(true);
  manager_.handle_event(event);
  event.set_lease_id(lease_of(grant).lease_id());
  event.set_instance("b");
  manager_.handle_event(event);
  EXPECT_EQ(stats().in_flight, 1U);
}

TEST_F(Lease, WhoseReportsWereLostIsKnownByTheHeartbeat) {
  const NodeId node("worker-1");
  const auto first = acquire(request());
  const auto id = lease_of(first).lease_id();
  manager_.reconcile(node, {id});
  EXPECT_EQ(stats().started, 1U) << "it runs, so it has started";
  manager_.reconcile(node, {});
  EXPECT_EQ(stats().in_flight, 1U) << "that heartbeat may be from before the start";
  time_.advance(milliseconds(3000));
  manager_.reconcile(NodeId("other"), {});
  manager_.reconcile(node, {id});
  EXPECT_EQ(stats().in_flight, 1U);
  manager_.reconcile(node, {});
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_EQ(stats().done[static_cast<std::size_t>(Code::kUnknown)], 1U);
  tell(first, false, true); // at last
  EXPECT_EQ(stats().in_flight, 0U);
}

TEST_F(Lease, EndsWithItsInstance) {
  tell(acquire(request()), true, false);
  manager_.remove_instance(InstanceId("a"), "exited");
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_EQ(stats().instances, 0U);
  EXPECT_EQ(stats().lost, 1U);
}

TEST_F(Lease, OfADrainingInstanceRunsOnWhileNewOnesGoElsewhere) {
  const auto grant = acquire(request());
  manager_.drain_instance(InstanceId("a"));
  EXPECT_EQ(acquire(request(1)).error().code(), Code::kUnavailable);
  add_instance("b");
  EXPECT_EQ(acquire(request())->instance(), "b");
  tell(grant, true, true);
  EXPECT_EQ(stats().in_flight, 1U);
  EXPECT_EQ(stats().lost, 0U);
}

} // namespace
} // namespace tcfdl::task_manager::testing
