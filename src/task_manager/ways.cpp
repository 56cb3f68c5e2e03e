#include "task_manager/ways.hpp"

#include "task_manager/placement.hpp"

#include <algorithm>

namespace tcfdl::task_manager {
namespace {

constexpr std::uint64_t kSmall = std::uint64_t{64} << 10U;  ///< bodies that show the round trip
constexpr std::uint64_t kLarge = std::uint64_t{256} << 10U; ///< bodies that show the bandwidth
constexpr std::size_t kMostWays = 256;

} // namespace

double Ways::transfer_us(const std::string& from, std::uint64_t bytes) const {
  const auto found = ways_.find(from);
  if (found == ways_.end()) return 0;
  const auto& way = found->second;
  return way.round_trip_us + (way.bytes_per_us > 0 ? static_cast<double>(bytes) / way.bytes_per_us : 0);
}

void Ways::learn(const std::string& from, std::uint64_t bytes, double elapsed_us) {
  if (ways_.size() >= kMostWays && !ways_.contains(from)) ways_.erase(ways_.begin());
  auto& way = ways_[from];
  elapsed_us = std::max(elapsed_us, 1.0);
  if (bytes <= kSmall) {
    // Follows shorter times fast and longer ones slowly: a first task of a session takes longer than the way.
    constexpr double kDown = 0.5;
    constexpr double kUp = 0.05;
    const auto change = elapsed_us - way.round_trip_us;
    way.round_trip_us = way.round_trip_us == 0 ? elapsed_us : way.round_trip_us + change * (change < 0 ? kDown : kUp);
  } else if (bytes >= kLarge) {
    const auto sending = std::max(elapsed_us - way.round_trip_us, 1.0);
    way.bytes_per_us = moving_average(way.bytes_per_us, static_cast<double>(bytes) / sending);
  }
}

} // namespace tcfdl::task_manager
