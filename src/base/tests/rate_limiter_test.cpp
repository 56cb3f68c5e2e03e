#include "base/rate_limiter.hpp"

#include <gmock/gmock.h>

namespace tcfdl {
namespace {

using std::chrono::milliseconds;

class RateLimits : public testing::Test {
protected:
  RateLimiter make(unsigned per_second) {
    return RateLimiter(per_second, [this] { return now_; });
  }
  /// How many of `wanted` were let through.
  static int taken(RateLimiter& limiter, const std::string& name, int wanted) {
    int count = 0;
    for (int i = 0; i < wanted; ++i) count += limiter.take(name) ? 1 : 0;
    return count;
  }
  RateLimiter::TimePoint now_{};
};

TEST_F(RateLimits, LetASecondsWorthThroughAtOnceAndThenTheRate) {
  auto limiter = make(10);
  EXPECT_EQ(taken(limiter, "anna", 50), 10);
  now_ += milliseconds(300);
  EXPECT_EQ(taken(limiter, "anna", 50), 3);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(taken(limiter, "anna", 50), 10);
}

TEST_F(RateLimits, AreEachOnesOwn) {
  auto limiter = make(2);
  EXPECT_EQ(taken(limiter, "anna", 9), 2);
  EXPECT_EQ(taken(limiter, "bert", 9), 2);
}

TEST_F(RateLimits, SayWhoIsTooFastAndWhenToComeAgain) {
  auto limiter = make(4);
  taken(limiter, "anna", 4);
  const auto refused = limiter.take("anna");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message(), "anna exceeds 4 a second; come again in 250 ms");
}

TEST_F(RateLimits, OfZeroAreNone) {
  auto limiter = make(0);
  EXPECT_EQ(taken(limiter, "anna", 100'000), 100'000);
}

TEST_F(RateLimits, KeepBoundedMemoryOfManyNames) {
  auto limiter = make(1);
  for (std::size_t i = 0; i < RateLimiter::kMostNames; ++i) EXPECT_TRUE(limiter.take(std::to_string(i)));
  EXPECT_TRUE(limiter.take("one more"));
  EXPECT_FALSE(limiter.take("another")) << "it shares with the one before";
  now_ += std::chrono::seconds(1);
  EXPECT_TRUE(limiter.take("another")) << "those who rested are forgotten";
  EXPECT_TRUE(limiter.take("one more"));
}

} // namespace
} // namespace tcfdl
