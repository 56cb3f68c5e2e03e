#include "base/worker_pool.hpp"

#include <atomic>
#include <future>
#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(WorkerPool, RefusesWhenItsQueueIsFullAndLeavesTheJob) {
  std::promise<void> started;
  std::promise<void> release;
  std::atomic<int> ran = 0;
  WorkerPool pool(1, 1);
  WorkerPool::Job blocker = [&] {
    started.set_value();
    release.get_future().wait();
  };
  ASSERT_TRUE(pool.post(blocker));
  started.get_future().wait();
  std::promise<void> done;
  WorkerPool::Job waiting = [&] {
    ++ran;
    done.set_value();
  };
  WorkerPool::Job refused = [&] { ++ran; };
  EXPECT_TRUE(pool.post(waiting));
  EXPECT_FALSE(pool.post(refused));
  EXPECT_TRUE(static_cast<bool>(refused));
  release.set_value();
  done.get_future().wait();
  EXPECT_EQ(ran, 1);
}

TEST(WorkerPool, StopDropsWhatWaitsAndTakesNoMore) {
  std::promise<void> started;
  std::promise<void> release;
  auto held = std::make_shared<int>(0);
  WorkerPool pool(1, 10);
  WorkerPool::Job blocker = [&] {
    started.set_value();
    release.get_future().wait();
  };
  ASSERT_TRUE(pool.post(blocker));
  started.get_future().wait();
  WorkerPool::Job waiting = [held] { ADD_FAILURE() << "a dropped job ran"; };
  ASSERT_TRUE(pool.post(waiting));
  auto stopping = std::async(std::launch::async, [&] { pool.stop(); });
  while (held.use_count() > 1) std::this_thread::yield();
  release.set_value();
  stopping.wait();
  WorkerPool::Job late = [] {};
  EXPECT_FALSE(pool.post(late));
}

TEST(WorkerPool, RunsWhatWaitsWhenItStopsIfItIsToldSo) {
  std::atomic<int> ran = 0;
  WorkerPool pool(1, 10, WorkerPool::AtStop::kRun);
  for (int i = 0; i < 5; ++i) {
    WorkerPool::Job job = [&] { ++ran; };
    ASSERT_TRUE(pool.post(job));
  }
  pool.stop();
  EXPECT_EQ(ran, 5);
}

} // namespace
} // namespace tcfdl
