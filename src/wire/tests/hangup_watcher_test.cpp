#include "wire/hangup_watcher.hpp"
#include "wire/tests/pipe.hpp"

#include <gtest/gtest.h>
#include <semaphore>

namespace tcfdl::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool stops_within(const std::stop_source& stop, milliseconds limit) {
  std::binary_semaphore stopped(0);
  const std::stop_callback callback(stop.get_token(), [&] { stopped.release(); });
  return stopped.try_acquire_for(limit);
}

TEST(HangupWatcher, StopsWorkWhoseCallerWentAway) {
  HangupWatcher watcher;
  Pipe pipe;
  std::stop_source stop;
  const auto watch = watcher.watch(pipe.right->descriptor(), Deadline::after(seconds(60)), stop);
  EXPECT_FALSE(stop.stop_requested());
  pipe.left.reset();
  EXPECT_TRUE(stops_within(stop, seconds(10)));
}

TEST(HangupWatcher, StopsWorkAtItsDeadlineAlsoBehindALaterOne) {
  HangupWatcher watcher;
  std::stop_source late;
  std::stop_source early;
  const auto first = watcher.watch(-1, Deadline::after(seconds(60)), late);
  const auto second = watcher.watch(-1, Deadline::after(milliseconds(5)), early);
  EXPECT_TRUE(stops_within(early, seconds(10)));
  EXPECT_FALSE(late.stop_requested());
}

TEST(HangupWatcher, LeavesFinishedWorkAlone) {
  HangupWatcher watcher;
  Pipe pipe;
  std::stop_source finished;
  std::stop_source other;
  {
    const auto watch = watcher.watch(pipe.right->descriptor(), Deadline::after(seconds(60)), finished);
  }
  const auto watch = watcher.watch(pipe.right->descriptor(), Deadline::after(seconds(60)), other);
  pipe.left.reset();
  EXPECT_TRUE(stops_within(other, seconds(10)));
  EXPECT_FALSE(finished.stop_requested());
}

} // namespace
} // namespace tcfdl::wire
