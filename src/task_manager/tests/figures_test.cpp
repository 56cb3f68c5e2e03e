#include "task_manager/tests/fakes.hpp"

namespace tcfdl::task_manager::testing {
namespace {

using std::chrono::milliseconds;

class Figures : public TaskManagerTest {
protected:
  static std::uint64_t count_of(const Durations& durations) {
    std::uint64_t sum = 0;
    for (const auto each : durations.counts) sum += each;
    return sum;
  }
  static std::uint64_t count_of(const CodeCounts& counts, Code code) {
    return counts.at(static_cast<std::size_t>(code));
  }
  static const Traffic& by(std::string_view way, const FunctionStats& stats) {
    return stats.traffic.at(static_cast<std::size_t>(std::ranges::find(kWays, way) - kWays.begin()));
  }
  void end(const Result<wire::LeaseGrant>& grant, const std::string& way, std::uint64_t body, std::uint64_t result) {
    wire::TaskEvent event;
    event.set_lease_id(lease_of(grant).lease_id());
    event.set_instance(grant->instance());
    event.set_done(true);
    event.set_run_us(2000);
    event.mutable_traffic()->set_way(way);
    event.mutable_traffic()->set_body(body);
    event.mutable_traffic()->set_result(result);
    manager_.handle_event(event);
  }
};

TEST_F(Figures, HaveTheWaitOfEachLease) {
  add_instance("a");
  const auto first = acquire(request());
  Waiting second(manager_, request());
  await_waiting(1);
  time_.advance(milliseconds(40));
  end(first, "local", 0, 0);
  ASSERT_TRUE(second.get());
  EXPECT_EQ(count_of(stats().waits), 2U);
  EXPECT_DOUBLE_EQ(stats().waits.sum, 0.04);
}

TEST_F(Figures, HaveTheRunTimeAndTheBytesOfTasksByTheirWays) {
  add_instance("a");
  end(acquire(request()), "local", 10, 3);
  end(acquire(request()), "local", 20, 4);
  end(acquire(request()), "relay", 100, 0);
  end(acquire(request()), "a way of a caller's own making", 7, 7);
  const auto now = stats();
  EXPECT_EQ(count_of(now.runs), 4U);
  EXPECT_DOUBLE_EQ(now.runs.sum, 0.008);
  EXPECT_EQ(by("local", now).bodies, 30U);
  EXPECT_EQ(by("local", now).results, 7U);
  EXPECT_EQ(by("relay", now).bodies, 100U);
  EXPECT_EQ(by("other", now).bodies, 7U) << "what callers say makes no further labels";
}

TEST_F(Figures, HaveTheEndOfEachTaskOfABurst) {
  add_instance("a");
  auto asked = request();
  asked.set_burst(true);
  const auto grant = acquire(asked);
  wire::TaskEvent event;
  event.set_lease_id(lease_of(grant).lease_id());
  event.set_instance("a");
  event.set_done(true);
  for (const std::uint64_t bytes : {1U, 2U, 4U}) {
    auto& run = *event.add_runs();
    run.set_run_us(1000);
    run.mutable_traffic()->set_way("tcp");
    run.mutable_traffic()->set_body(bytes);
  }
  manager_.handle_event(event);
  EXPECT_EQ(stats().done[0], 3U);
  EXPECT_EQ(count_of(stats().runs), 3U);
  EXPECT_EQ(by("tcp", stats()).bodies, 7U);
}

TEST_F(Figures, HaveRefusalsByWhatTheCallerWasTold) {
  EXPECT_FALSE(acquire(request(1))); // no instance becomes ready
  EXPECT_EQ(count_of(stats().unleased, Code::kUnavailable), 1U);
  EXPECT_EQ(stats().cold, 1U);
  add_instance("a");
  const auto busy = acquire(request());
  Waiting first(manager_, request());
  Waiting second(manager_, request());
  await_waiting(2);
  EXPECT_FALSE(acquire(request())); // the queue is full
  EXPECT_EQ(count_of(stats().unleased, Code::kResourceExhausted), 1U);
  EXPECT_EQ(stats().cold, 1U) << "these waited for a free instance, not for one to start";
  for (auto* waiting : {&first, &second}) {
    waiting->cancel();
    EXPECT_FALSE(waiting->get());
  }
  EXPECT_EQ(count_of(stats().unleased, Code::kCancelled), 2U);
  auto elsewhere = request();
  elsewhere.set_function("voice/text");
  EXPECT_FALSE(acquire(elsewhere));
  EXPECT_EQ(count_of(manager_.unleased_elsewhere(), Code::kNotFound), 1U);
}

TEST_F(Figures, CountNoRefusalOfATaskThatAnotherClusterTakes) {
  peers_.providing = true;
  peers_.answer = wire::LeaseGrant();
  ASSERT_TRUE(acquire(request()));
  for (const auto each : stats().unleased) EXPECT_EQ(each, 0U);
  EXPECT_EQ(stats().cold, 0U);
}

} // namespace
} // namespace tcfdl::task_manager::testing
