// The project's error idiom; public because the SDK returns it.
#pragma once

#include "base/format.hpp"

#include <tcfdl/result.hpp>

namespace tcfdl {

/// Makes an error of a code and a format string.
template <class... Args> Error make_error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...)};
}

} // namespace tcfdl
