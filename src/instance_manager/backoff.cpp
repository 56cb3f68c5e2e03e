#include "instance_manager/backoff.hpp"

#include <algorithm>

namespace tcfdl::instance_manager {

std::chrono::milliseconds Backoff::next(double random) {
  const auto step = static_cast<double>(step_.count());
  step_ = std::min(step_ * 2, settings_.longest);
  ++failures_;
  return std::chrono::milliseconds(static_cast<std::int64_t>(step * (1 - random / 5)));
}

} // namespace tcfdl::instance_manager
