#include "task_manager/tests/fakes.hpp"

namespace tcfdl::task_manager::testing {
namespace {

class BurstTest : public TaskManagerTest {
protected:
  static wire::LeaseRequest steady() {
    auto result = request();
    result.set_burst(true);
    return result;
  }
  void end_burst(const Result<wire::LeaseGrant>& grant, std::vector<std::uint64_t> runs_us) {
    wire::TaskEvent event;
    event.set_lease_id(lease_of(grant).lease_id());
    event.set_instance(grant->instance());
    event.set_done(true);
    for (const auto us : runs_us) event.add_runs()->set_run_us(us);
    manager_.handle_event(event);
  }
};

TEST_F(BurstTest, IsGivenToWhoHasMoreToComeWhileNobodyWaits) {
  add_instance("a");
  const auto single = acquire(request());
  ASSERT_TRUE(single);
  EXPECT_EQ(lease_of(single).burst_tasks(), 0U);
  tell(single, true, true);
  const auto burst = acquire(steady());
  ASSERT_TRUE(burst);
  EXPECT_EQ(lease_of(burst).burst_tasks(), 64U);
  EXPECT_EQ(lease_of(burst).burst_ms(), 50U);
  EXPECT_TRUE(lease_of(burst).task_id().empty());
  EXPECT_EQ(stats().bursts, 1U);
  EXPECT_EQ(stats().in_flight, 1U) << "it holds one slot";
}

TEST_F(BurstTest, IsNotGivenWhereEachTaskHasALeaseOfItsOwn) {
  auto isolated = policy();
  isolated.bursts = false;
  manager_.set_function(isolated);
  add_instance("a");
  EXPECT_EQ(lease_of(acquire(steady())).burst_tasks(), 0U);
}

TEST_F(BurstTest, IsRecalledOnceWhenAnotherWaitsWhoGetsASingleTask) {
  add_instance("a");
  const auto burst = acquire(steady());
  Waiting second(manager_, steady());
  await_waiting(1);
  Waiting third(manager_, steady());
  await_waiting(2);
  EXPECT_EQ(recalls_.leases(), std::vector{lease_of(burst).lease_id()});
  end_burst(burst, {1000, 3000});
  await_waiting(1);
  const auto served = second.get();
  ASSERT_TRUE(served);
  EXPECT_EQ(lease_of(served).burst_tasks(), 0U) << "somebody waits";
  tell(served, true, true);
  ASSERT_TRUE(third.get());
  EXPECT_EQ(recalls_.leases().size(), 1U);
}

TEST_F(BurstTest, CountsEachOfItsTasks) {
  add_instance("a");
  const auto burst = acquire(steady());
  tell(burst, true, false);
  EXPECT_EQ(stats().started, 1U);
  end_burst(burst, {1000, 1000, 1000});
  EXPECT_EQ(stats().done[0], 3U);
  EXPECT_EQ(stats().median_us, 1000);
  EXPECT_EQ(stats().bursts, 0U);
  EXPECT_EQ(stats().in_flight, 0U);
}

TEST_F(BurstTest, ThatIsNotUsedEndsAsOtherLeasesDo) {
  add_instance("a");
  ASSERT_TRUE(acquire(steady()));
  time_.advance(std::chrono::seconds(5));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 0U);
  EXPECT_EQ(stats().bursts, 0U);
}

TEST_F(BurstTest, KeepsItsSlotUntilTheLastTaskMayHaveEnded) {
  add_instance("a");
  const auto burst = acquire(steady()); // with 60 s for its first task
  tell(burst, true, false);
  time_.advance(std::chrono::milliseconds(60'000 + 2'000)); // and the grace
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 1U) << "a later task has its time later";
  time_.advance(std::chrono::milliseconds(50));
  manager_.reclaim();
  EXPECT_EQ(stats().in_flight, 0U);
}

} // namespace
} // namespace tcfdl::task_manager::testing
