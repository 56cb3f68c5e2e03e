// Bounds of a request for a lease.
#pragma once

namespace tcfdl::wire {

/// How many instances it may exclude.
constexpr int kMaxExcluded = 64;

} // namespace tcfdl::wire
