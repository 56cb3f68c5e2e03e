// Stops parts in the reverse order of their start.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace tcfdl {

/// The composition root registers the stop of a part at the moment it starts it. Not thread-safe: owned by the root.
class StopOrder {
public:
  StopOrder() = default;
  StopOrder(const StopOrder&) = delete;
  StopOrder& operator=(const StopOrder&) = delete;
  ~StopOrder() { stop(); }

  void add(std::function<void()> stop) { stops_.push_back(std::move(stop)); }

  /// Runs every registered stop once, last first. Idempotent.
  void stop() {
    while (!stops_.empty()) {
      const auto last = std::move(stops_.back());
      stops_.pop_back();
      last();
    }
  }

private:
  std::vector<std::function<void()>> stops_;
};

} // namespace tcfdl
