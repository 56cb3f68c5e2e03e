#include "task_manager/queue.hpp"

#include <deque>
#include <gtest/gtest.h>

namespace tcfdl::task_manager::testing {
namespace {

class Someone final : public Ticket {
public:
  Someone(std::string who, const wire::LeaseRequest& request) : Ticket(request, {}), caller(std::move(who)) {}
  const std::string caller;

private:
  void wake() override {}
};

constexpr std::size_t kHigh = 0;
constexpr std::size_t kNormal = 1;
constexpr std::size_t kLow = 2;
constexpr std::size_t kWide = 10'000;

class QueueTest : public ::testing::Test {
protected:
  Queue::Pushed push(const std::string& caller, unsigned weight = 1, std::size_t rank = kNormal,
                     std::size_t limit = kWide) {
    return queue_.push(tickets_.emplace_back(caller, request_), {caller, weight, rank}, limit);
  }
  void push_many(std::size_t count, const std::string& caller, unsigned weight = 1, std::size_t rank = kNormal) {
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(push(caller, weight, rank).taken);
  }
  /// Whose tickets are served next.
  std::vector<std::string> serve(std::size_t count) {
    std::vector<std::string> served;
    queue_.offer([&](Ticket& ticket) {
      if (served.size() == count) return Queue::Answer::kEnough;
      served.push_back(dynamic_cast<Someone&>(ticket).caller);
      return Queue::Answer::kTaken;
    });
    return served;
  }
  static auto count_of(const std::vector<std::string>& served, const std::string& caller) {
    return std::ranges::count(served, caller);
  }

  wire::LeaseRequest request_;
  std::deque<Someone> tickets_;
  Queue queue_;
};

using Fairness = QueueTest;
using Priorities = QueueTest;
using Bounds = QueueTest;

TEST_F(Fairness, ServesALightCallerNextToOneWithAThousandTasks) {
  push_many(1000, "heavy");
  ASSERT_EQ(serve(10).size(), 10U);
  push("light");
  EXPECT_EQ(count_of(serve(2), "light"), 1) << "at most one task of the heavy one is served before it";
}

TEST_F(Fairness, FollowsWeights) {
  push_many(400, "three", 3);
  push_many(400, "one", 1);
  const auto served = serve(80);
  EXPECT_NEAR(static_cast<double>(count_of(served, "three")), 60, 1);
}

TEST_F(Fairness, GivesNoCreditForTimeWithoutTasks) {
  push_many(200, "always");
  ASSERT_EQ(serve(100).size(), 100U);
  push_many(50, "late");
  EXPECT_NEAR(static_cast<double>(count_of(serve(20), "late")), 10, 1) << "not the next 20";
}

TEST_F(Fairness, RemembersWhoWasJustServed) {
  push_many(100, "backlog");
  std::size_t returning = 0;
  for (int i = 0; i < 40; ++i) {
    if (queue_.size_of("returns") == 0) push("returns");
    returning += static_cast<std::size_t>(count_of(serve(1), "returns"));
    // So many that come and go that idle ones are forgotten.
    for (int k = 0; k < 100; ++k) {
      push(fmt::format("crowd-{}-{}", i, k));
      queue_.remove(tickets_.back());
    }
  }
  EXPECT_NEAR(static_cast<double>(returning), 20, 1)
      << "one that comes with one task at a time gets its share, no more";
}

TEST_F(Fairness, ChargesNothingForTasksThatLeaveUnserved) {
  push_many(50, "gone");
  for (auto& ticket : tickets_) queue_.remove(ticket);
  EXPECT_EQ(queue_.size(), 0U);
  push_many(10, "other");
  push_many(10, "gone");
  EXPECT_NEAR(static_cast<double>(count_of(serve(10), "gone")), 5, 1);
}

TEST_F(Fairness, KeepsTheOrderOfOneCaller) {
  push_many(3, "a");
  std::vector<Ticket*> order;
  queue_.offer([&](Ticket& ticket) {
    order.push_back(&ticket);
    return Queue::Answer::kTaken;
  });
  EXPECT_EQ(order, (std::vector<Ticket*>{&tickets_[0], &tickets_[1], &tickets_[2]}));
}

TEST_F(Fairness, PassesOverTasksThatCannotBeServedYet) {
  push_many(2, "picky");
  push("easy");
  std::vector<std::string> served;
  queue_.offer([&](Ticket& ticket) {
    const auto& caller = dynamic_cast<Someone&>(ticket).caller;
    if (caller == "picky") return Queue::Answer::kLeft;
    served.push_back(caller);
    return Queue::Answer::kTaken;
  });
  EXPECT_EQ(served, std::vector<std::string>{"easy"});
  EXPECT_EQ(queue_.size(), 2U);
}

TEST_F(Priorities, AreStrict) {
  push_many(3, "c", 1, kLow);
  push_many(3, "b", 1, kNormal);
  push_many(3, "a", 1, kHigh);
  EXPECT_EQ(serve(9), (std::vector<std::string>{"a", "a", "a", "b", "b", "b", "c", "c", "c"}));
}

TEST_F(Priorities, LeaveNoClassWaitingForever) {
  push_many(1000, "high", 1, kHigh);
  push_many(1000, "normal", 1, kNormal);
  push_many(1000, "low", 1, kLow);
  const auto served = serve(100);
  const auto first_low = std::ranges::find(served, "low") - served.begin();
  EXPECT_EQ(first_low, 8);
  EXPECT_GE(count_of(served, "low"), 9);
  EXPECT_GE(count_of(served, "normal"), 9);
  EXPECT_GE(count_of(served, "high"), 75) << "but the high ones have most";
}

TEST_F(Priorities, AreFairWithinAClass) {
  push_many(100, "a", 1, kHigh);
  push_many(100, "b", 1, kHigh);
  EXPECT_NEAR(static_cast<double>(count_of(serve(20), "a")), 10, 1);
}

TEST_F(Bounds, LetNobodyFillTheQueue) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(push("heavy", 1, kNormal, 4).taken);
  EXPECT_FALSE(push("heavy", 1, kNormal, 4).taken);
  const auto first = push("light", 1, kNormal, 4);
  EXPECT_TRUE(first.taken);
  EXPECT_EQ(first.displaced, &tickets_[3]) << "the newest of the one that has most";
  EXPECT_TRUE(push("light", 1, kNormal, 4).taken);
  EXPECT_FALSE(push("light", 1, kNormal, 4).taken) << "it has its share";
  EXPECT_FALSE(push("heavy", 1, kNormal, 4).taken) << "and takes nothing of others' shares";
  EXPECT_EQ(queue_.size(), 4U);
  EXPECT_EQ(queue_.size_of("heavy"), 2U);
}

TEST_F(Bounds, FollowWeights) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(push("heavy", 1, kNormal, 4).taken);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(push("weighty", 3, kNormal, 4).taken) << i;
  EXPECT_FALSE(push("weighty", 3, kNormal, 4).taken);
  EXPECT_EQ(queue_.size_of("heavy"), 1U);
}

TEST_F(Bounds, GiveUpTheLowestClassFirst) {
  push("heavy", 1, kLow, 2);
  push("heavy", 1, kHigh, 2);
  EXPECT_EQ(push("light", 1, kNormal, 2).displaced, &tickets_.front());
}

} // namespace
} // namespace tcfdl::task_manager::testing
