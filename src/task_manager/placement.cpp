#include "task_manager/placement.hpp"

#include <algorithm>
#include <cstdint>

namespace tcfdl::task_manager {
namespace {

/// Whether `a` is strictly the better choice.
bool better(const Candidate& a, const Candidate& b) {
  const auto load_a = std::uint64_t{a.in_flight} * b.concurrency;
  const auto load_b = std::uint64_t{b.in_flight} * a.concurrency;
  return load_a != load_b ? load_a < load_b : a.service_us < b.service_us;
}

} // namespace

std::optional<std::size_t> choose(std::span<const Candidate> candidates, std::size_t turn) {
  const bool all_excluded = std::ranges::all_of(candidates, &Candidate::excluded);
  std::optional<std::size_t> best;
  for (std::size_t step = 0; step < candidates.size(); ++step) {
    const auto index = (turn + step) % candidates.size();
    const auto& candidate = candidates[index];
    if (candidate.in_flight >= candidate.concurrency || (candidate.excluded && !all_excluded)) continue;
    if (!best || better(candidate, candidates[*best])) best = index;
  }
  return best;
}

double moving_average(double average, double sample) {
  constexpr double kNewest = 0.2;
  return average == 0 ? sample : average + kNewest * (sample - average);
}

} // namespace tcfdl::task_manager
