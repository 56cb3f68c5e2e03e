// How often a node reports.
#pragma once

#include <chrono>

namespace tcfdl::node {

struct PaceSettings {
  std::chrono::milliseconds busy{1000};   ///< while there are tasks or changes
  std::chrono::milliseconds calm{60'000}; ///< so long after the last of them
  std::chrono::milliseconds idle{300'000};
};

/// Every second while there are tasks or changes and for a minute after them, then every five minutes. Of one thread.
class Pace {
public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Pace(PaceSettings settings, TimePoint now) : settings_(settings), stirred_(now) {}

  /// Tasks run or something changed.
  void stir(TimePoint now) { stirred_ = now; }
  /// Until the next report, if one were sent now.
  [[nodiscard]] std::chrono::milliseconds period(TimePoint now) const {
    return now - stirred_ < settings_.calm ? settings_.busy : settings_.idle;
  }
  [[nodiscard]] bool is_idle(TimePoint now) const { return period(now) == settings_.idle; }

private:
  const PaceSettings settings_;
  TimePoint stirred_;
};

} // namespace tcfdl::node
