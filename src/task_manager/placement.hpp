// Which instance takes a task: a pure function of what is predicted.
#pragma once

#include <optional>
#include <span>

namespace tcfdl::task_manager {

struct Candidate {
  unsigned in_flight = 0;
  unsigned concurrency = 1;
  double service_us = 0;  ///< predicted run time there; 0: nothing is known
  double transfer_us = 0; ///< predicted time on the way there: round trip, and body over bandwidth
  bool local = false;     ///< on the caller's own node
  bool excluded = false;  ///< the task failed there before
};

/// When a task would be done there, microseconds from now: transfer + wait + service time. What runs there already is
/// waited for, or slows the task down: service_us · in_flight / concurrency.
double predicted_us(const Candidate& candidate);

/// The index of the candidate with a free slot that is predicted to be done first; among equals the least loaded, then
/// the first from `turn` on, around. A local one is taken when it is not more than a tenth and 200 us later. Excluded
/// candidates count only if all are. Nothing when no candidate has a free slot.
std::optional<std::size_t> choose(std::span<const Candidate> candidates, std::size_t turn);

/// A moving average that gives the newest sample a fifth; 0 stands for no sample yet.
double moving_average(double average, double sample);

} // namespace tcfdl::task_manager
