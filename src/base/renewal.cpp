#include "base/renewal.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace tcfdl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// How long to wait after a failure.
milliseconds retry_pause(const Lifetime& lifetime, UnixSeconds now) {
  const milliseconds left = seconds(std::clamp<std::int64_t>(lifetime.expires - now, 0, 3600));
  return std::clamp<milliseconds>(left / 16, seconds(1), seconds(60));
}

} // namespace

Renewal::Renewal(RenewalSettings settings, const Clock& clock, std::function<Lifetime()> lifetime,
                 std::function<Status()> renew)
    : settings_(std::move(settings)), clock_(clock), lifetime_(std::move(lifetime)), renew_(std::move(renew)),
      thread_([this] { run(); }) {}

void Renewal::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Renewal::stopped_within(milliseconds pause) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, pause, [this] { return stopping_; });
}

void Renewal::run() {
  for (;;) {
    const auto until_due = lifetime_().until_half(clock_.now());
    if (stopped_within(std::min<milliseconds>(until_due, settings_.look_every))) return;
    const auto lifetime = lifetime_();
    if (lifetime.until_half(clock_.now()) > seconds(0)) continue;
    const auto renewed = renew_();
    if (!renewed) spdlog::warn("{} is not renewed yet: {}", settings_.what, renewed.error().to_string());
    if (stopped_within(renewed ? seconds(1) : retry_pause(lifetime, clock_.now()))) return;
  }
}

} // namespace tcfdl
