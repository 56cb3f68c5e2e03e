#include "task_manager/placement.hpp"

#include <algorithm>
#include <cstdint>

namespace tcfdl::task_manager {
namespace {

/// What stands for a run time of which nothing is known.
constexpr double kUnknownServiceUs = 1000;

double load_of(const Candidate& candidate) {
  return static_cast<double>(candidate.in_flight) / std::max(1U, candidate.concurrency);
}

/// Whether `a` is strictly the better choice.
bool better(const Candidate& a, const Candidate& b) {
  const auto done_a = predicted_us(a);
  const auto done_b = predicted_us(b);
  return done_a != done_b ? done_a < done_b : load_of(a) < load_of(b);
}

bool close_to(double later_us, double best_us) { return later_us <= best_us * 1.1 + 200; }

} // namespace

double predicted_us(const Candidate& candidate) {
  const auto service = candidate.service_us > 0 ? candidate.service_us : kUnknownServiceUs;
  return candidate.transfer_us + service * (1 + load_of(candidate));
}

std::optional<std::size_t> choose(std::span<const Candidate> candidates, std::size_t turn) {
  const bool all_excluded = std::ranges::all_of(candidates, &Candidate::excluded);
  std::optional<std::size_t> best;
  std::optional<std::size_t> best_local;
  for (std::size_t step = 0; step < candidates.size(); ++step) {
    const auto index = (turn + step) % candidates.size();
    const auto& candidate = candidates[index];
    if (candidate.in_flight >= candidate.concurrency || (candidate.excluded && !all_excluded)) continue;
    if (!best || better(candidate, candidates[*best])) best = index;
    if (candidate.local && (!best_local || better(candidate, candidates[*best_local]))) best_local = index;
  }
  if (best && best_local && close_to(predicted_us(candidates[*best_local]), predicted_us(candidates[*best])))
    return best_local;
  return best;
}

double moving_average(double average, double sample) {
  constexpr double kNewest = 0.2;
  return average == 0 ? sample : average + kNewest * (sample - average);
}

} // namespace tcfdl::task_manager
