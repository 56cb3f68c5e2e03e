// Which instance takes a task: a pure function.
#pragma once

#include <optional>
#include <span>

namespace tcfdl::task_manager {

struct Candidate {
  unsigned in_flight = 0;
  unsigned concurrency = 1;
  double service_us = 0; ///< 0: not measured yet, which counts as fastest so that it gets measured
  bool excluded = false; ///< the task failed there before
};

/// The index of the least loaded candidate with a free slot: smallest in_flight / concurrency, then fastest, then the
/// first from `turn` on, around. Excluded candidates count only if all are. Nothing when no candidate has a free slot.
std::optional<std::size_t> choose(std::span<const Candidate> candidates, std::size_t turn);

/// A moving average that gives the newest sample a fifth; 0 stands for no sample yet.
double moving_average(double average, double sample);

} // namespace tcfdl::task_manager
