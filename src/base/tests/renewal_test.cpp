#include "base/renewal.hpp"

#include <atomic>
#include <future>
#include <gtest/gtest.h>

namespace tcfdl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AtomicClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return now_; }
  std::atomic<UnixSeconds> now_ = 1000;
};

TEST(Renewal, ComesAtHalfOfTheLifeAndAgainAfterAFailure) {
  AtomicClock clock;
  std::atomic<UnixSeconds> expires = 1100;
  std::atomic<int> looks = 0;
  std::atomic<int> tries = 0;
  std::promise<void> done;
  Renewal renewal(
      {.what = "a thing", .look_every = milliseconds(1)}, clock,
      [&] {
        ++looks;
        return Lifetime{1000, expires};
      },
      [&]() -> Status {
        if (++tries < 2) return Error(Code::kUnavailable, "not now");
        expires = 9000;
        done.set_value();
        return {};
      });
  clock.now_ = 1049;
  while (looks < 20) std::this_thread::yield();
  EXPECT_EQ(tries, 0);
  clock.now_ = 1099; // so it tries again after a second
  done.get_future().wait();
  renewal.stop();
  EXPECT_EQ(tries, 2);
}

TEST(Renewal, EndsWhileItWaits) {
  const SystemClock clock;
  Renewal renewal(
      {.what = "a thing"}, clock, [&] { return Lifetime{clock.now(), clock.now() + 1000}; }, [] { return Status(); });
  renewal.stop();
  renewal.stop();
}

TEST(Renewal, KnowsTheHalfOfALifetime) {
  EXPECT_EQ((Lifetime{100, 200}.until_half(120)), seconds(30));
  EXPECT_EQ((Lifetime{100, 200}.until_half(150)), seconds(0));
  EXPECT_EQ((Lifetime{100, 200}.until_half(1000)), seconds(0));
  EXPECT_EQ((Lifetime{5000, 9000}.until_half(5000 - kClockDifference)), seconds(2300));
  EXPECT_EQ((Lifetime{5000, 9000}.until_half(4999 - kClockDifference)), seconds(0)) << "a clock was set back";
  constexpr auto kMost = std::numeric_limits<UnixSeconds>::max();
  EXPECT_EQ((Lifetime{kMost - 2, kMost}.until_half(kMost)), seconds(0));
}

} // namespace
} // namespace tcfdl
