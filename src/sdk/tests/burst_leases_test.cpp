#include "sdk/burst_leases.hpp"

#include "sdk/tests/instance_world.hpp"

namespace tcfdl::sdk {
namespace {

class Bursts : public InstanceWorld {
protected:
  void SetUp() override {
    InstanceWorld::SetUp();
    start_echo();
  }

  Call first_of_burst(unsigned tasks, unsigned ms = 60'000) {
    auto call = call_of(anna_, &capsule_);
    call.lease.clear_task_id();
    call.lease.set_burst_tasks(tasks);
    call.lease.set_burst_ms(ms);
    return call;
  }
  Call next_of_burst() {
    auto call = call_of(anna_, &capsule_);
    call.goes_on = true;
    return call;
  }
  void await_events(std::size_t count) const {
    while (events_.all().size() < count) std::this_thread::yield();
  }
};

TEST_F(Bursts, RunTheirTasksUnderOneLeaseAndTellOfThemTogether) {
  Session session(*server_);
  auto first = first_of_burst(3);
  ASSERT_TRUE(exchange(session, first));
  for (int i = 0; i < 2; ++i) {
    auto next = next_of_burst();
    ASSERT_EQ(exchange(session, next).value_or(""), "hello");
  }
  auto beyond = next_of_burst();
  EXPECT_EQ(refusal(session, beyond).code(), Code::kUnavailable);
  session.end();
  const auto events = events_.all();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_TRUE(events[0].started());
  EXPECT_FALSE(events[0].done());
  EXPECT_TRUE(events[1].done());
  EXPECT_EQ(events[1].lease_id(), "lease-1");
  EXPECT_EQ(events[1].runs_size(), 3);
}

TEST_F(Bursts, EndWithTheirTimeThoughNobodyComes) {
  Session session(*server_);
  auto first = first_of_burst(100, 1);
  ASSERT_TRUE(exchange(session, first));
  await_events(2); // the connection stays
  EXPECT_EQ(events_.all().back().runs_size(), 1);
  auto next = next_of_burst();
  EXPECT_EQ(refusal(session, next).code(), Code::kUnavailable);
  auto single = call_of(anna_, &capsule_);
  EXPECT_EQ(exchange(session, single).value_or(""), "hello") << "the connection serves what comes next";
}

TEST_F(Bursts, EndWithTheirConnection) {
  {
    Session session(*server_);
    auto first = first_of_burst(100);
    ASSERT_TRUE(exchange(session, first));
  }
  ASSERT_EQ(events_.all().size(), 2U);
  EXPECT_TRUE(events_.all().back().done());
}

TEST_F(Bursts, EndAtOnceWhenTheyAreRecalledIdle) {
  Session session(*server_);
  auto first = first_of_burst(100);
  ASSERT_TRUE(exchange(session, first));
  await_events(1);
  server_->recall_burst("lease-1");
  ASSERT_EQ(events_.all().size(), 2U);
  auto next = next_of_burst();
  EXPECT_EQ(refusal(session, next).code(), Code::kUnavailable);
  session.end();
  EXPECT_EQ(events_.all().size(), 2U) << "an end is told once";
}

TEST_F(Bursts, EndAfterTheTaskThatRunsWhenTheyAreRecalled) {
  start(Handler([this](TaskContext&, BytesView body) -> Result<Bytes> {
    server_->recall_burst("lease-1");
    EXPECT_EQ(events_.all().size(), 1U) << "its task has not ended";
    return Bytes(body.begin(), body.end());
  }));
  Session session(*server_);
  auto first = first_of_burst(100);
  ASSERT_TRUE(exchange(session, first));
  EXPECT_EQ(events_.all().size(), 2U);
}

TEST_F(Bursts, AreOfOneConnection) {
  Session session(*server_);
  auto first = first_of_burst(100);
  ASSERT_TRUE(exchange(session, first));
  Session other(*server_);
  auto stolen = first_of_burst(100);
  EXPECT_EQ(refusal(other, stolen).code(), Code::kPermissionDenied);
  auto without = next_of_burst();
  EXPECT_EQ(refusal(other, without).code(), Code::kUnavailable);
}

TEST_F(Bursts, DoNotOutliveTheRevocationOfTheirCaller) {
  Session session(*server_);
  auto first = first_of_burst(100);
  ASSERT_TRUE(exchange(session, first));
  revoke([&](auto& list) { list.add_keys(hash_of(anna_.signing)); });
  auto next = next_of_burst();
  EXPECT_EQ(refusal(session, next).code(), Code::kUnauthenticated);
}

TEST_F(Bursts, AreRefusedWhereEachTaskHasALeaseOfItsOwn) {
  settings_.isolated = true;
  start_echo();
  Session session(*server_);
  auto first = first_of_burst(100);
  EXPECT_EQ(refusal(session, first).code(), Code::kPermissionDenied);
}

} // namespace
} // namespace tcfdl::sdk
