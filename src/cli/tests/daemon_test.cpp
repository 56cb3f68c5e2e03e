#include "cli/daemon.hpp"

#include "base/file.hpp"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>

namespace tcfdl::cli {
namespace {

using std::chrono::milliseconds;

std::string wait_end(Daemon& daemon) {
  for (;;) {
    if (const auto end = daemon.ended()) return *end;
    std::this_thread::yield();
  }
}

class DaemonTest : public testing::Test {
protected:
  Daemon make(std::vector<std::string> arguments) {
    return Daemon({"d", std::move(arguments), directory.path() / "log", directory.path() / "ready"});
  }
  TemporaryDirectory directory;
};

TEST_F(DaemonTest, TellsItsExitCodeAndTheEndOfItsLog) {
  auto daemon = make({"-c", "echo said; echo why >&2; exit 3"});
  ASSERT_TRUE(daemon.start("/bin/sh"));
  EXPECT_EQ(wait_end(daemon), "exited with status 3");
  EXPECT_FALSE(daemon.running());
  EXPECT_EQ(file_tail(daemon.spec().log, 20), "said\nwhy");
}

TEST_F(DaemonTest, RemovesAStaleReadyFileBeforeItStarts) {
  ASSERT_TRUE(write_file(directory.path() / "ready", as_bytes("old")));
  auto daemon = make({"-c", "exit 0"});
  ASSERT_TRUE(daemon.start("/bin/sh"));
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "ready"));
  EXPECT_EQ(wait_end(daemon), "exited with status 0");
}

TEST_F(DaemonTest, EndsBySignal) {
  auto daemon = make({"-c", "while :; do sleep 1; done"});
  ASSERT_TRUE(daemon.start("/bin/sh"));
  EXPECT_EQ(find_process(daemon.process().pid), daemon.process());
  daemon.signal(SIGKILL);
  EXPECT_EQ(wait_end(daemon), "killed by signal 9");
}

TEST_F(DaemonTest, LeftBehindIsEndedOnlyWhereThePidIsStillIts) {
  auto daemon = make({"-c", "while :; do sleep 1; done"});
  ASSERT_TRUE(daemon.start("/bin/sh"));
  auto other = daemon.process();
  other.started += 1;
  end_processes({other}, milliseconds(0));
  EXPECT_FALSE(daemon.ended());
  end_processes({daemon.process()}, milliseconds(10'000));
  EXPECT_EQ(wait_end(daemon), "killed by signal 15");
}

TEST(Backoff, GrowsAndForgetsAfterALongLife) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(milliseconds(0)), milliseconds(500));
  EXPECT_EQ(backoff.next(milliseconds(0)), milliseconds(1000));
  for (int i = 0; i < 10; ++i) (void)backoff.next(milliseconds(0));
  EXPECT_EQ(backoff.next(milliseconds(0)), milliseconds(30'000));
  EXPECT_EQ(backoff.next(milliseconds(60'000)), milliseconds(500));
}

} // namespace
} // namespace tcfdl::cli
