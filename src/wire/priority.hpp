// The words for priorities, in configurations, traces and messages to people.
#pragma once

#include "base/result.hpp"
#include "wire/proto/task.pb.h"

namespace tcfdl::wire {

/// `low`, `normal` or `high`; `normal` for unknown ones of newer callers.
std::string_view priority_word(Priority priority) noexcept;

/// The priority of a word. INVALID_ARGUMENT lists those there are.
Result<Priority> parse_priority(std::string_view word);

} // namespace tcfdl::wire
