// The version of all programs.
#pragma once

#include <string_view>

namespace tcfdl {

constexpr std::string_view kVersion = "0.1.0";

} // namespace tcfdl
