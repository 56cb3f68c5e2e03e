#include "instance_manager/event_queue.hpp"

#include "instance_manager/pool_executor.hpp"
#include "instance_manager/tests/fakes.hpp"

#include <latch>

namespace tcfdl::instance_manager::testing {
namespace {

using std::chrono::milliseconds;

TEST(EventQueue, HandlesEventsInTheOrderOfTheirTimes) {
  ManualTime time;
  EventQueue queue("test", time);
  std::string order;
  queue.post_at(time() + milliseconds(20), [&] { order += 'c'; });
  queue.post_at(time() + milliseconds(10), [&] { order += 'b'; });
  queue.post([&] { order += 'a'; });
  EXPECT_EQ(queue.run_due(), 1U);
  time.advance(milliseconds(20));
  EXPECT_EQ(queue.run_due(), 2U);
  EXPECT_EQ(order, "abc");
}

TEST(EventQueue, HandlesEventsOfOneTimeInTheOrderOfArrival) {
  ManualTime time;
  EventQueue queue("test", time);
  std::string order;
  for (const char c : std::string("abc")) queue.post([&order, c] { order += c; });
  queue.run_due();
  EXPECT_EQ(order, "abc");
}

TEST(EventQueue, RunsPostedAndTimedEventsOnItsThread) {
  EventQueue queue("test", std::chrono::steady_clock::now);
  queue.start();
  std::latch both(2);
  queue.post_at(queue.now() + milliseconds(1), [&] { both.count_down(); });
  queue.post([&] { both.count_down(); });
  both.wait();
  queue.stop();
  queue.post([] { FAIL() << "handled after stop"; });
  EXPECT_EQ(queue.run_due(), 0U);
}

TEST(PoolExecutor, RunsJobsAtTheSameTimeAndStopsOnce) {
  PoolExecutor pool(2);
  std::latch met(2);
  for (int i = 0; i < 2; ++i) pool.run([&] { met.arrive_and_wait(); });
  met.wait();
  pool.stop();
  pool.stop();
  pool.run([] { FAIL() << "run after stop"; });
}

} // namespace
} // namespace tcfdl::instance_manager::testing
