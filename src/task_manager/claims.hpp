// As whom tasks wait, and what they may ask for.
#pragma once

#include "task_manager/queue.hpp"

namespace tcfdl::task_manager {

/// A view of a configuration, thread-safe. A client that calls over HTTP waits as itself; all callers of another
/// cluster wait as one.
class Claims {
public:
  explicit Claims(const CallerShares& shares) : shares_(shares) {}

  /// PERMISSION_DENIED for a priority above the caller's. Of other clusters' tasks nothing is refused: they were
  /// permitted there, and wait here as high as this cluster lets them.
  [[nodiscard]] Status check(const wire::LeaseRequest& request) const;
  [[nodiscard]] Claim of(const wire::LeaseRequest& request) const;

private:
  [[nodiscard]] CallerShare share_of(const std::string& caller) const;
  const CallerShares& shares_;
};

} // namespace tcfdl::task_manager
