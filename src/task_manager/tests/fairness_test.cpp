// Callers, priorities and deadlines through the scheduler, in virtual time.
#include "task_manager/tests/fakes.hpp"

#include <deque>

namespace tcfdl::task_manager::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Request final : public Ticket {
public:
  Request(const wire::LeaseRequest& request, const TimeSource& time) : Ticket(request, time.steady()) {}
  int woken = 0;

private:
  void wake() override { ++woken; }
};

/// One function, one instance with one slot, tasks of 100 ms.
class SharedInstance : public ::testing::Test {
protected:
  static constexpr milliseconds kService{100};

  explicit SharedInstance(CallerShares callers = {}) : settings_({.callers = std::move(callers)}) {
    set_queue_limit(2000);
    InstanceInfo info;
    info.id = InstanceId("a");
    info.function = FunctionName("plates/read");
    info.node = NodeId("worker-1");
    scheduler_.set_instance(info);
  }
  void set_queue_limit(std::size_t limit) {
    FunctionPolicy policy;
    policy.name = FunctionName("plates/read");
    policy.version = 1;
    policy.queue_limit = limit;
    scheduler_.set_function(policy);
  }
  Request& ask(const std::string& caller, wire::Priority priority = wire::PRIORITY_NORMAL,
               std::uint32_t remaining_ms = 3'600'000) {
    auto& request = requests_.emplace_back();
    request.set_task_id(make_uuid());
    request.set_function("plates/read");
    request.set_caller(caller);
    request.set_priority(priority);
    request.set_remaining_ms(remaining_ms);
    return submit(request);
  }
  Request& submit(const wire::LeaseRequest& request) {
    auto& ticket = tickets_.emplace_back(request, time_);
    if (scheduler_.attempt(ticket) != Standing::kBusy) return ticket;
    if (const auto queued = scheduler_.enqueue(ticket); !queued) ticket.settle(queued.error());
    return ticket;
  }
  /// The task that has the slot runs its time and ends.
  void run_one() {
    for (auto& ticket : tickets_) {
      if (!ticket.settled() || ended_.contains(&ticket)) continue;
      ended_.insert(&ticket);
      const auto placed = ticket.take();
      if (!placed) continue;
      time_.advance(kService);
      wire::TaskEvent event;
      event.set_lease_id(placed->lease.lease_id());
      event.set_done(true);
      event.set_run_us(static_cast<std::uint64_t>(std::chrono::microseconds(kService).count()));
      return scheduler_.handle_event(event);
    }
  }
  milliseconds wait_of(const Ticket& ticket) {
    while (!ticket.settled()) run_one();
    return std::chrono::duration_cast<milliseconds>(time_.steady() - ticket.since());
  }
  FunctionStats stats() { return scheduler_.stats().at(0); }

  ManualTime time_;
  TaskManagerSettings settings_;
  std::deque<wire::LeaseRequest> requests_;
  std::deque<Request> tickets_;
  std::set<const Ticket*> ended_;
  Scheduler scheduler_{settings_, time_};
};

TEST_F(SharedInstance, MakesALightCallerWaitForItsShareOnly) {
  for (int i = 0; i < 1000; ++i) ask("heavy");
  for (int i = 0; i < 20; ++i) run_one();
  auto& light = ask("light");
  EXPECT_LE(wait_of(light), 2 * kService) << "the task that runs, and one more";
}

TEST_F(SharedInstance, IsSharedAmongManyCallersAlike) {
  for (int i = 0; i < 500; ++i) ask("heavy");
  std::vector<Request*> lights;
  for (int i = 0; i < 10; ++i) lights.push_back(&ask("light-" + std::to_string(i)));
  for (auto* light : lights) EXPECT_LE(wait_of(*light), 12 * kService);
}

TEST_F(SharedInstance, TellsWhenToComeAgain) {
  set_queue_limit(10);
  ask("camera");
  run_one(); // by which the time of a task is known
  for (int i = 0; i < 11; ++i) ask("camera");
  auto& refused = ask("camera");
  ASSERT_TRUE(refused.settled());
  const auto error = refused.take().error();
  EXPECT_EQ(error.code(), Code::kResourceExhausted);
  EXPECT_EQ(error.retry_after(), milliseconds(500)) << "half of ten tasks of 100 ms";
  EXPECT_EQ(error.message(), "the queue of plates/read is full (10 waiting); try again in 500 ms");
}

TEST_F(SharedInstance, CannotBeFilledByOneCaller) {
  set_queue_limit(4);
  for (int i = 0; i < 5; ++i) ask("heavy");
  auto& light = ask("light");
  EXPECT_FALSE(light.settled()) << "it waits";
  auto& newest = tickets_[4];
  ASSERT_TRUE(newest.settled()) << "the newest task of the heavy one made room";
  const auto error = newest.take().error();
  EXPECT_EQ(error.code(), Code::kResourceExhausted);
  EXPECT_GT(error.retry_after().count(), 0);
  EXPECT_EQ(newest.woken, 1);
  EXPECT_EQ(stats().refused, 1U);
  EXPECT_EQ(stats().waiting, 4U);
}

TEST_F(SharedInstance, IsNotGivenToTasksWhoseTimeIsOver) {
  ask("camera");
  auto& brief = ask("camera", wire::PRIORITY_NORMAL, 50);
  auto& patient = ask("camera");
  run_one();
  ASSERT_TRUE(brief.settled());
  EXPECT_EQ(brief.take().error().code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(patient.settled());
  EXPECT_EQ(stats().in_flight, 1U);
  EXPECT_EQ(stats().waiting, 0U);
}

/// As above, with shares as a master's configuration gives them.
class ConfiguredShares : public SharedInstance {
protected:
  ConfiguredShares()
      : SharedInstance({{"siren", {.weight = 1, .highest = wire::PRIORITY_HIGH}},
                        {"fleet", {.weight = 4, .highest = wire::PRIORITY_NORMAL}},
                        {"cluster:roadside", {.weight = 2, .highest = wire::PRIORITY_LOW}}}) {}
};

TEST_F(ConfiguredShares, LetPermittedPrioritiesPass) {
  for (int i = 0; i < 100; ++i) ask("camera");
  auto& urgent = ask("siren", wire::PRIORITY_HIGH);
  EXPECT_LE(wait_of(urgent), kService);
}

TEST_F(ConfiguredShares, DoNotStarveTheRest) {
  for (int i = 0; i < 200; ++i) ask("siren", wire::PRIORITY_HIGH);
  auto& low = ask("camera", wire::PRIORITY_LOW);
  EXPECT_LE(wait_of(low), 9 * kService) << "eight others and the one that runs";
}

TEST_F(ConfiguredShares, WeighCallers) {
  for (int i = 0; i < 100; ++i) {
    ask("fleet");
    ask("camera");
  }
  int fleet = 0;
  for (int i = 0; i < 50; ++i) run_one();
  for (const auto* ticket : ended_) fleet += ticket->request().caller() == "fleet" ? 1 : 0;
  EXPECT_NEAR(fleet, 40, 2);
}

TEST_F(ConfiguredShares, CountOtherClustersAsOneCallerAndAsHighAsTheyMayBe) {
  const auto from_roadside = [&](const std::string& caller) -> Request& {
    auto& request = requests_.emplace_back();
    request.set_task_id(make_uuid());
    request.set_function("plates/read");
    request.set_caller(caller);
    request.set_peer("roadside");
    request.set_priority(wire::PRIORITY_HIGH);
    request.set_remaining_ms(3'600'000);
    return submit(request);
  };
  ask("camera");
  auto& theirs = from_roadside("siren");
  auto& ours = ask("camera");
  EXPECT_LE(wait_of(ours), kService) << "a name of another cluster has no rights here";
  EXPECT_FALSE(theirs.settled());
}

class Permits : public TaskManagerTest {};

TEST_F(Permits, AreNeededForHighPriorityAlone) {
  add_instance("a");
  auto asked = request();
  asked.set_priority(wire::PRIORITY_HIGH);
  const auto refused = acquire(asked);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
  EXPECT_NE(refused.error().message().find("camera may ask for priority 'normal' at most"), std::string::npos)
      << refused.error().message();
  asked.set_priority(wire::PRIORITY_LOW);
  EXPECT_TRUE(acquire(asked));
}

TEST_F(Permits, AreCheckedBeforeATaskLeavesForAnotherCluster) {
  peers_.answer = wire::LeaseGrant();
  auto asked = request();
  asked.set_cluster("there");
  asked.set_priority(wire::PRIORITY_HIGH);
  EXPECT_EQ(acquire(asked).error().code(), Code::kPermissionDenied);
  EXPECT_TRUE(peers_.asked.empty());
}

TEST_F(Permits, OfAClientHoldOverHttpToo) {
  TaskManager manager({.callers = {{"anna", {.weight = 1, .highest = wire::PRIORITY_HIGH}}}}, signer_, peers_, recalls_,
                      time_);
  auto asked = request(1);
  asked.set_caller("gateway-1 for anna");
  asked.set_on_behalf_of("anna");
  asked.set_priority(wire::PRIORITY_HIGH);
  EXPECT_EQ(manager.acquire(asked, {}).error().code(), Code::kNotFound) << "permitted; there is no function";
}

class Displaced : public TaskManagerTest {};

TEST_F(Displaced, TasksAreOfferedToOtherClusters) {
  add_instance("a");
  const auto running = acquire(request());
  ASSERT_TRUE(running);
  Waiting first(manager_, request());
  await_waiting(1);
  Waiting second(manager_, request());
  await_waiting(2);
  peers_.providing = true;
  wire::LeaseGrant away;
  away.set_cluster("there");
  peers_.answer = away;
  auto other = request();
  other.set_caller("other");
  Waiting light(manager_, other);
  const auto displaced = second.get();
  ASSERT_TRUE(displaced) << displaced.error().to_string();
  EXPECT_EQ(displaced->cluster(), "there");
  first.cancel();
  light.cancel();
}

TEST(RetryAfter, IsTheTimeInWhichHalfTheQueueIsServed) {
  EXPECT_EQ(retry_after(100, 20'000, 4), milliseconds(250));
  EXPECT_EQ(retry_after(1, 10, 4), milliseconds(10)) << "at least";
  EXPECT_EQ(retry_after(1'000'000, 1e6, 1), seconds(60)) << "at most";
  EXPECT_EQ(retry_after(100, 0, 4), seconds(1)) << "nothing is known";
  EXPECT_EQ(retry_after(100, 1000, 0), seconds(1));
}

} // namespace
} // namespace tcfdl::task_manager::testing
