#include "task_manager/task_history.hpp"

#include <gtest/gtest.h>

namespace tcfdl::task_manager {
namespace {

using std::chrono::seconds;
constexpr TaskHistory::TimePoint kStart{};

TaskRecord record(const std::string& lease) {
  TaskRecord result;
  result.lease_id = lease;
  return result;
}

TEST(TaskHistory, ForgetsWhatExpired) {
  TaskHistory history(10);
  history.put("a", record("1"), kStart + seconds(5));
  ASSERT_NE(history.find("a", kStart + seconds(4)), nullptr);
  EXPECT_EQ(history.find("a", kStart + seconds(5)), nullptr);
  EXPECT_EQ(history.size(), 0U);
}

TEST(TaskHistory, HoldsNoMoreThanItsCapacityAndForgetsTheFirstToExpire) {
  TaskHistory history(2);
  history.put("late", record("1"), kStart + seconds(9));
  history.put("early", record("2"), kStart + seconds(5));
  history.put("new", record("3"), kStart + seconds(7));
  EXPECT_EQ(history.size(), 2U);
  EXPECT_EQ(history.find("early", kStart), nullptr);
  EXPECT_NE(history.find("late", kStart), nullptr);
}

TEST(TaskHistory, ReplacesARecordUnderItsKey) {
  TaskHistory history(10);
  history.put("a", record("1"), kStart + seconds(5));
  history.put("a", record("2"), kStart + seconds(9));
  ASSERT_NE(history.find("a", kStart + seconds(6)), nullptr);
  EXPECT_EQ(history.find("a", kStart + seconds(6))->lease_id, "2");
}

TEST(TaskHistory, KeepsCallersApart) { EXPECT_NE(TaskHistory::key("a", "id"), TaskHistory::key("b", "id")); }

} // namespace
} // namespace tcfdl::task_manager
