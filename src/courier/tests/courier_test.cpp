#include "courier/courier.hpp"

#include "courier/tests/fakes.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::courier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeInstances;
using ::testing::HasSubstr;

class CourierTest : public testing::StoreTest {
protected:
  void start(CourierSettings settings = {
                 .threads = 2, .most_each = 2, .known_within = {}, .look_after_every = milliseconds(10)}) {
    courier_.emplace(settings, *store_, leases_, instances_, [this] { return now_.load(); });
    ASSERT_TRUE(courier_->start());
  }
  void TearDown() override {
    if (courier_) courier_->stop();
  }
  wire::StoredTask end_of(const TaskRef& ref) {
    return store_->wait(ref, Deadline::after(seconds(20)), {}).value_or(wire::StoredTask());
  }
  /// Submitted and delivered by a courier of its own.
  wire::StoredTask run() {
    const auto open = submit("anna", make_uuid()).value();
    start();
    return end_of(open.ref);
  }
  /// What a process left that was killed while the task ran at `instance`.
  TaskRef left_running(const std::string& instance) {
    const auto open = submit("anna", make_uuid()).value();
    EXPECT_TRUE(store_->set_running(open.ref, instance, "worker-1"));
    reopen();
    return open.ref;
  }

  testing::FakeLeases leases_;
  FakeInstances instances_;
  std::optional<Courier> courier_;
};

TEST_F(CourierTest, AsksAsTheSubmitterPresentsAndStoresTheResult) {
  std::promise<std::string> body;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    EXPECT_EQ(request.possession(), "I hold it, read-1");
    FakeInstances::answer_with(0, "sealed result")(connection, request);
  };
  const auto open = submit("anna", make_uuid(), std::string(200'000, 'b'), wire::PRIORITY_HIGH).value();
  start();
  const auto task = end_of(open.ref);
  EXPECT_EQ(task.state(), wire::TASK_STATE_SUCCEEDED) << task.message();
  EXPECT_EQ(task.node(), "worker-1");
  ASSERT_EQ(leases_.asked.size(), 1U);
  const auto& asked = leases_.asked.front();
  EXPECT_TRUE(asked.presented());
  EXPECT_EQ(asked.caller(), "anna");
  EXPECT_EQ(asked.caller_key(), "key of anna");
  EXPECT_EQ(asked.priority(), wire::PRIORITY_HIGH);
  const auto result = store_->open_result(open.ref);
  ASSERT_TRUE(result);
  std::array<char, 64> text{};
  EXPECT_EQ(::read(result->get(), text.data(), text.size()), 13);
  EXPECT_EQ(std::string(text.data()), "sealed result");
}

TEST_F(CourierTest, SendsTheWholeBody) {
  std::promise<std::size_t> received;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest&) {
    received.set_value(FakeInstances::read_body(connection).size());
  };
  ASSERT_TRUE(submit("anna", make_uuid(), std::string(200'000, 'b')));
  start();
  EXPECT_EQ(received.get_future().get(), 200'000U);
}

TEST_F(CourierTest, TellsTheHandlersErrorByItsCodeAlone) {
  instances_.play = FakeInstances::answer_with(static_cast<std::uint32_t>(Code::kNotFound), "sealed words");
  const auto task = run();
  EXPECT_EQ(task.state(), wire::TASK_STATE_FAILED);
  EXPECT_EQ(task.code(), static_cast<std::uint32_t>(Code::kNotFound));
  EXPECT_EQ(task.message(), "");
  EXPECT_NE(task.result_header(), "");
}

TEST_F(CourierTest, TellsTheInstancesRefusal) {
  instances_.play = FakeInstances::refuse_with({Code::kFailedPrecondition, "takes no tasks of epoch 1"});
  const auto task = run();
  EXPECT_EQ(task.state(), wire::TASK_STATE_FAILED);
  EXPECT_EQ(task.message(), "takes no tasks of epoch 1");
}

TEST_F(CourierTest, TriesAgainWhereAnInstanceDidNotTakeTheTask) {
  std::atomic<int> calls = 0;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    if (calls++ == 0) return FakeInstances::refuse_with({Code::kUnavailable, "busy"})(connection, request);
    FakeInstances::answer_with(0, "result")(connection, request);
  };
  const auto task = run();
  EXPECT_EQ(task.state(), wire::TASK_STATE_SUCCEEDED) << task.message();
  ASSERT_EQ(leases_.asked.size(), 2U);
  EXPECT_THAT(leases_.asked[1].exclude(), ElementsAre("read-1"));
  EXPECT_EQ(leases_.released.size(), 1U);
}

TEST_F(CourierTest, RepeatsWhereTheTaskMayHaveBegunAndNowhereElse) {
  std::atomic<int> calls = 0;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    if (calls++ == 0) { // the way breaks while the handler runs
      FakeInstances::read_body(connection);
      FakeInstances::accept(connection);
      return connection.shutdown();
    }
    FakeInstances::answer_with(0, "the first run's outcome")(connection, request);
  };
  const auto task = run();
  EXPECT_EQ(task.state(), wire::TASK_STATE_SUCCEEDED) << task.message();
  EXPECT_TRUE(leases_.asked[1].exclude().empty());
  EXPECT_TRUE(leases_.released.empty());
}

TEST_F(CourierTest, RepeatsWhereTheTaskMayHaveBegunAlthoughNoAcceptanceArrived) {
  std::atomic<int> calls = 0;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    if (calls++ > 0) return FakeInstances::answer_with(0, "the first run's outcome")(connection, request);
    FakeInstances::read_body(connection);
    connection.shutdown();
  };
  const auto task = run();
  EXPECT_EQ(task.state(), wire::TASK_STATE_SUCCEEDED) << task.message();
  EXPECT_TRUE(leases_.asked[1].exclude().empty());
  EXPECT_TRUE(leases_.released.empty()) << "that would tell that it did not begin";
}

TEST_F(CourierTest, GoesOnWithWhatWaitedBeforeARestart) {
  const auto open = submit("anna", make_uuid()).value();
  reopen();
  start();
  EXPECT_EQ(end_of(open.ref).state(), wire::TASK_STATE_SUCCEEDED);
}

TEST_F(CourierTest, FetchesTheOutcomeOfWhatRanBeforeARestartFromItsInstance) {
  const auto ref = left_running("read-1");
  start();
  EXPECT_EQ(end_of(ref).state(), wire::TASK_STATE_SUCCEEDED);
}

TEST_F(CourierTest, WhatRanBeforeARestartIsLostWithItsInstance) {
  const auto ref = left_running("read-0");
  start();
  const auto task = end_of(ref);
  EXPECT_EQ(task.state(), wire::TASK_STATE_FAILED);
  EXPECT_EQ(task.code(), static_cast<std::uint32_t>(Code::kUnavailable));
  EXPECT_THAT(task.message(), HasSubstr("instance lost after start"));
  EXPECT_TRUE(leases_.asked.empty());
}

TEST_F(CourierTest, AnIdempotentTaskOfBeforeARestartRunsAgain) {
  leases_.idempotent = true;
  const auto ref = left_running("read-0");
  start();
  EXPECT_EQ(end_of(ref).state(), wire::TASK_STATE_SUCCEEDED);
}

TEST_F(CourierTest, ATaskThatWaitsIsCancelledWithoutRunning) {
  leases_.set_open(false);
  const auto open = submit("anna", make_uuid()).value();
  start();
  leases_.await(1);
  ASSERT_TRUE(courier_->cancel(open.ref));
  EXPECT_EQ(end_of(open.ref).state(), wire::TASK_STATE_CANCELLED);
  EXPECT_EQ(courier_->cancel(open.ref).value().state(), wire::TASK_STATE_CANCELLED) << "it has ended";
  EXPECT_EQ(courier_->cancel({owner("bert").id(), open.ref.id}).error().code(), Code::kNotFound);
}

TEST_F(CourierTest, ATaskThatRunsIsCancelledAtItsInstance) {
  std::promise<void> running;
  std::promise<void> told;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    if (request.has_cancel()) {
      EXPECT_EQ(request.cancel().caller_key(), "key of anna");
      FakeInstances::accept(connection);
      return told.set_value();
    }
    FakeInstances::read_body(connection);
    FakeInstances::accept(connection);
    running.set_value();
    told.get_future().wait();
    FakeInstances::answer(connection, request, static_cast<std::uint32_t>(Code::kCancelled), "told");
  };
  const auto open = submit("anna", make_uuid()).value();
  start();
  running.get_future().wait();
  ASSERT_TRUE(courier_->cancel(open.ref));
  EXPECT_EQ(end_of(open.ref).state(), wire::TASK_STATE_CANCELLED);
}

TEST_F(CourierTest, WhatMayRunSinceBeforeARestartIsToldOfItsCancellation) {
  std::promise<void> told;
  instances_.play = [&](wire::Connection& connection, const wire::TaskRequest& request) {
    if (!request.has_cancel()) return FakeInstances::refuse_with({Code::kUnavailable, "busy"})(connection, request);
    FakeInstances::accept(connection);
    told.set_value();
  };
  const auto ref = left_running("read-1");
  start();
  leases_.await(2);
  ASSERT_TRUE(courier_->cancel(ref));
  told.get_future().wait();
  EXPECT_EQ(end_of(ref).state(), wire::TASK_STATE_CANCELLED);
  EXPECT_TRUE(leases_.asked[1].exclude().empty()) << "it runs there or nowhere";
}

TEST_F(CourierTest, ATaskExpiresWhileItWaitsForAThread) {
  leases_.set_open(false);
  start({.threads = 1, .most_each = 1, .known_within = {}, .look_after_every = milliseconds(10)});
  courier_->enqueue(submit("anna", make_uuid()).value());
  leases_.await(1);
  const auto second = submit("anna", make_uuid()).value();
  courier_->enqueue(second);
  now_ += 61'000;
  const auto task = end_of(second.ref);
  EXPECT_EQ(task.state(), wire::TASK_STATE_EXPIRED);
  EXPECT_EQ(task.code(), static_cast<std::uint32_t>(Code::kDeadlineExceeded));
}

TEST_F(CourierTest, AStopLeavesTasksAsTheyAre) {
  leases_.set_open(false);
  const auto open = submit("anna", make_uuid()).value();
  start();
  leases_.await(1);
  courier_->stop();
  EXPECT_EQ(store_->get(open.ref).value().state(), wire::TASK_STATE_WAITING);
}

TEST_F(CourierTest, OneSubmitterLeavesThreadsToOthers) {
  leases_.set_open(false);
  start({.threads = 3, .most_each = 2, .known_within = {}, .look_after_every = milliseconds(10)});
  for (int i = 0; i < 5; ++i) courier_->enqueue(submit("anna", make_uuid()).value());
  leases_.await(2);
  courier_->enqueue(submit("bert", make_uuid()).value());
  leases_.await(3);
  EXPECT_EQ(leases_.asked[2].caller(), "bert");
}

TEST_F(CourierTest, ServesHigherPrioritiesOfASubmitterFirst) {
  leases_.set_open(false);
  start({.threads = 1, .most_each = 1, .known_within = {}, .look_after_every = milliseconds(10)});
  courier_->enqueue(submit("anna", make_uuid()).value());
  leases_.await(1);
  const auto low = submit("anna", make_uuid(), "body", wire::PRIORITY_LOW).value();
  const auto high = submit("anna", make_uuid(), "body", wire::PRIORITY_HIGH).value();
  courier_->enqueue(low);
  courier_->enqueue(high);
  leases_.set_open(true);
  EXPECT_EQ(end_of(low.ref).state(), wire::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(leases_.asked[1].task_id(), high.ref.id);
}

TEST_F(CourierTest, AFullQueueIsAskedAgain) {
  leases_.error = Error(Code::kResourceExhausted, "the queue is full");
  leases_.error->set_retry_after(milliseconds(10));
  const auto open = submit("anna", make_uuid()).value();
  start();
  leases_.await(2);
  {
    const std::scoped_lock lock(leases_.mutex);
    leases_.error.reset();
  }
  EXPECT_EQ(end_of(open.ref).state(), wire::TASK_STATE_SUCCEEDED);
}

} // namespace
} // namespace tcfdl::courier
