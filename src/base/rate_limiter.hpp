// How often somebody may do something: a token bucket for each name.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

namespace tcfdl {

/// A bucket holds what one second brings, so that is what may come at once. Thread-safe.
class RateLimiter {
public:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// Names that are kept apart. Those who come when all these are busy share one bucket.
  static constexpr std::size_t kMostNames = 16'384;

  /// `per_second`: 0 for no limit.
  explicit RateLimiter(unsigned per_second, std::function<TimePoint()> now = std::chrono::steady_clock::now)
      : per_second_(per_second), now_(std::move(now)) {}

  /// RESOURCE_EXHAUSTED tells the limit and when to come again.
  Status take(const std::string& name);

private:
  struct Bucket {
    double left = 0;
    TimePoint as_of;
  };
  void fill(Bucket& bucket, TimePoint now) const;
  Bucket& bucket_of(const std::string& name, TimePoint now);

  const unsigned per_second_;
  const std::function<TimePoint()> now_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_; // guarded by mutex_; full ones need not be here
};

} // namespace tcfdl
