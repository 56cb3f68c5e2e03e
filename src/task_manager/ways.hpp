// How long the ways to nodes are, learnt from the tasks that took them.
#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <map>

namespace tcfdl::task_manager {

/// The ways to one node: from each node of callers, and from all those that are on no node of the cluster together. Not
/// thread-safe.
class Ways {
public:
  /// Predicted time until a body of so many bytes is there, microseconds. 0 while nothing is known; without the part
  /// for bytes while no bandwidth was measured.
  [[nodiscard]] double transfer_us(const std::string& from, std::uint64_t bytes) const;

  /// A task with such a body began so long after its lease.
  void learn(const std::string& from, std::uint64_t bytes, double elapsed_us);

private:
  struct Way {
    double round_trip_us = 0;
    double bytes_per_us = 0;
  };
  std::map<std::string, Way> ways_; // by node of the caller
};

} // namespace tcfdl::task_manager
