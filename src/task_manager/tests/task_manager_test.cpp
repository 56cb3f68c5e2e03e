#include "task_manager/tests/fakes.hpp"

#include <gmock/gmock.h>

namespace tcfdl::task_manager::testing {
namespace {

class Waits : public TaskManagerTest {};
using Requests = TaskManagerTest;
using Functions = TaskManagerTest;

TEST_F(Requests, GetASignedLeaseWithAllThatACallerNeeds) {
  add_instance("a");
  auto asked = request();
  asked.set_caller_node("worker-1");
  const auto grant = acquire(asked);
  ASSERT_TRUE(grant) << grant.error().to_string();
  EXPECT_EQ(grant->instance(), "a");
  EXPECT_EQ(grant->node(), "worker-1");
  EXPECT_EQ(grant->cluster(), "here");
  EXPECT_EQ(grant->tee_kind(), "software");
  EXPECT_EQ(grant->assurance(), "software");
  EXPECT_EQ(grant->descriptor().statement(), "descriptor 1");
  EXPECT_EQ(grant->master_certificate().statement(), "master");
  EXPECT_EQ(grant->routes(0).address(), "unix:/a");
  EXPECT_EQ(grant->lease().signature(), "signed");
  const auto lease = lease_of(grant);
  EXPECT_EQ(lease.task_id(), asked.task_id());
  EXPECT_EQ(lease.function(), kFunction);
  EXPECT_EQ(lease.instance(), "a");
  EXPECT_EQ(lease.caller_key(), "key");
  EXPECT_EQ(lease.cluster(), "here");
  EXPECT_EQ(lease.expires_ms(), 1'005'000);
}

TEST_F(Requests, OfOtherNodesGetTheRoutesThatLeadThereFromElsewhere) {
  add_instance("a");
  for (const auto* node : {"worker-1", "worker-2", ""}) {
    auto asked = request();
    asked.set_caller_node(node);
    const auto grant = acquire(asked);
    ASSERT_TRUE(grant) << grant.error().to_string();
    ASSERT_EQ(grant->routes_size(), 1);
    EXPECT_EQ(grant->routes(0).address().starts_with("unix:"), std::string_view(node) == "worker-1") << node;
    manager_.release(lease_of(grant).lease_id());
  }
}

TEST_F(Requests, AreRefusedWithoutAUuidOrAName) {
  auto bad_id = request();
  bad_id.set_task_id("1");
  EXPECT_EQ(acquire(bad_id).error().code(), Code::kInvalidArgument);
  auto bad_name = request();
  bad_name.set_function("Plates");
  EXPECT_EQ(acquire(bad_name).error().code(), Code::kInvalidArgument);
  auto crowded = request();
  for (int i = 0; i < 65; ++i) crowded.add_exclude("a");
  EXPECT_EQ(acquire(crowded).error().code(), Code::kInvalidArgument);
}

TEST_F(Requests, SpreadOverIdleInstances) {
  add_instance("a");
  add_instance("b");
  const auto first = acquire(request());
  const auto second = acquire(request());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->instance(), second->instance());
}

TEST_F(Requests, AvoidExcludedInstances) {
  add_instance("a");
  add_instance("b");
  for (int i = 0; i < 4; ++i) {
    auto asked = request();
    asked.add_exclude("a");
    const auto grant = acquire(asked);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->instance(), "b");
    tell(grant, true, true);
  }
}

TEST_F(Functions, UnknownOnesAreNotFound) {
  auto asked = request();
  asked.set_function("voice/text");
  EXPECT_EQ(acquire(asked).error().code(), Code::kNotFound);
}

TEST_F(Functions, AreUnavailableWhenNoInstanceBecameReady) {
  const auto refused = acquire(request(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnavailable);
  EXPECT_NE(refused.error().message().find("no instance of plates/read became ready"), std::string::npos);
}

TEST_F(Functions, TellWhoWaitedInVainWhyNoInstanceStarts) {
  manager_.set_problem(FunctionName(kFunction), "worker-1 has no memory");
  EXPECT_EQ(acquire(request(1)).error().message(),
            "no instance of plates/read became ready before the deadline: worker-1 has no memory");
  add_instance("a");
  const auto running = acquire(request());
  EXPECT_THAT(acquire(request(1)).error().message(),
              ::testing::HasSubstr("and no more of them start: worker-1 has no memory"));
}

TEST_F(Functions, TellAtOnceOfTasksThatFindNoFreeInstance) {
  std::atomic<int> told = 0;
  manager_.on_waiting([&](const FunctionName& name) { told += name.str() == kFunction ? 1 : 100; });
  Waiting waiting(manager_, request());
  await_waiting(1);
  EXPECT_EQ(told, 1);
  add_instance("a");
  ASSERT_TRUE(waiting.get());
  Waiting busy(manager_, request());
  await_waiting(1);
  EXPECT_EQ(told, 2) << "the only one is busy";
  manager_.stop();
  EXPECT_FALSE(busy.get());
}

TEST_F(Functions, KnowWhichInstancesHaveTasksAndHowLongTheyTook) {
  add_instance("a");
  EXPECT_FALSE(manager_.has_tasks(InstanceId("a")));
  for (const std::uint64_t micros : {5000U, 1000U, 9000U}) {
    const auto grant = acquire(request());
    EXPECT_TRUE(manager_.has_tasks(InstanceId("a")));
    tell(grant, true, true, 0, micros);
    EXPECT_FALSE(manager_.has_tasks(InstanceId("a")));
  }
  EXPECT_FALSE(manager_.has_tasks(InstanceId("unknown")));
  EXPECT_EQ(stats().median_us, 5000);
  EXPECT_EQ(stats().ended(), 3U);
}

TEST_F(Functions, RemovedOnesTellTheirWaitingTasks) {
  Waiting waiting(manager_, request());
  await_waiting(1);
  manager_.remove_function(FunctionName(kFunction));
  EXPECT_EQ(waiting.get().error().code(), Code::kNotFound);
  EXPECT_TRUE(manager_.stats().empty());
}

TEST_F(Functions, SendTasksToTheNewestVersionAndNameItsDescriptor) {
  add_instance("old", 1);
  auto newer = policy();
  newer.version = 2;
  newer.descriptor.set_statement("descriptor 2");
  manager_.set_function(newer);
  const auto before = acquire(request());
  ASSERT_TRUE(before);
  EXPECT_EQ(before->descriptor().statement(), "descriptor 1");
  tell(before, true, true);
  add_instance("new", 2);
  const auto after = acquire(request());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->instance(), "new");
  EXPECT_EQ(after->descriptor().statement(), "descriptor 2");
}

TEST_F(Waits, EndWhenAnInstanceComes) {
  Waiting waiting(manager_, request());
  await_waiting(1);
  add_instance("a");
  EXPECT_TRUE(waiting.get());
}

TEST_F(Waits, EndInTheOrderOfArrival) {
  add_instance("a");
  const auto running = acquire(request());
  auto first_request = request();
  auto second_request = request();
  Waiting first(manager_, first_request);
  await_waiting(1);
  Waiting second(manager_, second_request);
  await_waiting(2);
  tell(running, true, true);
  const auto first_grant = first.get();
  ASSERT_TRUE(first_grant);
  EXPECT_EQ(stats().waiting, 1U);
  tell(first_grant, true, true);
  EXPECT_TRUE(second.get());
}

TEST_F(Waits, AreBounded) {
  add_instance("a");
  const auto running = acquire(request());
  ASSERT_TRUE(running);
  Waiting first(manager_, request());
  Waiting second(manager_, request());
  await_waiting(2);
  const auto refused = acquire(request());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message(), "the queue of plates/read is full (2 waiting); try again in 1.0 s");
  EXPECT_EQ(refused.error().retry_after(), std::chrono::seconds(1)) << "how long tasks take is not known yet";
  EXPECT_EQ(stats().refused, 1U);
  first.cancel();
  second.cancel();
}

TEST_F(Waits, EndWithTheDeadlineWhenAllInstancesStayBusy) {
  add_instance("a");
  ASSERT_TRUE(acquire(request()));
  EXPECT_EQ(acquire(request(1)).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(stats().waiting, 0U);
}

TEST_F(Waits, EndWhenTheCallerCancels) {
  add_instance("a");
  const auto running = acquire(request());
  Waiting waiting(manager_, request());
  await_waiting(1);
  waiting.cancel();
  EXPECT_EQ(waiting.get().error().code(), Code::kCancelled);
  EXPECT_EQ(stats().waiting, 0U);
}

TEST_F(Waits, LetOthersPassWhoseInstanceIsFree) {
  add_instance("a");
  add_instance("b");
  auto only_b = request();
  only_b.add_exclude("a");
  const auto in_a = acquire(request());
  const auto in_b = acquire(request());
  Waiting picky(manager_, only_b);
  await_waiting(1);
  const auto& freed = in_a->instance() == "a" ? in_a : in_b;
  tell(freed, true, true);
  EXPECT_EQ(stats().waiting, 1U);
  EXPECT_TRUE(acquire(request()));
  const auto& other = in_a->instance() == "a" ? in_b : in_a;
  tell(other, true, true);
  const auto grant = picky.get();
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->instance(), "b");
}

TEST_F(Waits, EndWhenTheManagerStops) {
  manager_.start();
  Waiting waiting(manager_, request());
  await_waiting(1);
  manager_.stop();
  EXPECT_EQ(waiting.get().error().code(), Code::kUnavailable);
  EXPECT_EQ(acquire(request()).error().code(), Code::kUnavailable);
}

TEST_F(Waits, OfManyCallersAllEndAndNoSlotIsUsedTwice) {
  auto wide = policy();
  wide.queue_limit = 100;
  wide.concurrency = 2;
  manager_.set_function(wide);
  add_instance("a");
  add_instance("b");
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::vector<std::jthread> callers;
  callers.reserve(8);
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto grant = acquire(request());
        ASSERT_TRUE(grant) << grant.error().to_string();
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
        --running;
        tell(grant, true, true, 0, 10);
      }
    });
  }
  callers.clear();
  EXPECT_LE(most, 4);
  EXPECT_EQ(stats().done[0], 400U);
  EXPECT_EQ(stats().in_flight, 0U);
}

} // namespace
} // namespace tcfdl::task_manager::testing
