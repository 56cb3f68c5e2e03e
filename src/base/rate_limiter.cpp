#include "base/rate_limiter.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <cmath>

namespace tcfdl {
namespace {

/// No name of anybody.
const std::string kEverybodyElse;

} // namespace

Status RateLimiter::take(const std::string& name) {
  if (per_second_ == 0) return {};
  const auto now = now_();
  const std::scoped_lock lock(mutex_);
  auto& bucket = bucket_of(name, now);
  fill(bucket, now);
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return {};
  }
  const auto wait = std::ceil((1 - bucket.left) / per_second_ * 1000);
  return make_error(Code::kResourceExhausted, "{} exceeds {} a second; come again in {} ms", name, per_second_, wait);
}

void RateLimiter::fill(Bucket& bucket, TimePoint now) const {
  const std::chrono::duration<double> gone = now - bucket.as_of;
  bucket.left = std::min<double>(per_second_, bucket.left + gone.count() * per_second_);
  bucket.as_of = now;
}

RateLimiter::Bucket& RateLimiter::bucket_of(const std::string& name, TimePoint now) {
  const auto found = buckets_.find(name);
  if (found != buckets_.end()) return found->second;
  if (buckets_.size() >= kMostNames) {
    for (auto& [each, bucket] : buckets_) fill(bucket, now);
    std::erase_if(buckets_, [&](const auto& each) { return each.second.left >= per_second_; });
  }
  const Bucket full{static_cast<double>(per_second_), now};
  return buckets_.try_emplace(buckets_.size() < kMostNames ? name : kEverybodyElse, full).first->second;
}

} // namespace tcfdl
