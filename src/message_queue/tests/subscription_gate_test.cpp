#include "message_queue/subscription_gate.hpp"

#include <atomic>
#include <future>
#include <gtest/gtest.h>

namespace tcfdl::message_queue {
namespace {

TEST(SubscriptionGate, ClosesOnlyAfterTheHandlerInside) {
  SubscriptionGate gate;
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left = false;
  auto handler = std::async(std::launch::async, [&] {
    gate.run([&] {
      entered.set_value();
      leave.get_future().wait();
      left = true;
    });
  });
  entered.get_future().wait();
  auto closing = std::async(std::launch::async, [&] {
    gate.close();
    EXPECT_TRUE(left);
  });
  leave.set_value();
  closing.wait();
  handler.wait();
}

TEST(SubscriptionGate, LetsNobodyInOnceClosed) {
  SubscriptionGate gate;
  gate.close();
  bool ran = false;
  gate.run([&] { ran = true; });
  EXPECT_FALSE(ran);
}

TEST(SubscriptionGate, IsClosedByItsOwnHandlerWithoutWaiting) {
  SubscriptionGate gate;
  bool closed = false;
  gate.run([&] {
    gate.close();
    closed = true;
  });
  EXPECT_TRUE(closed);
}

} // namespace
} // namespace tcfdl::message_queue
