// The program tcfdl-exec: any program as a function.
#pragma once

#include "exec/launcher.hpp"

#include <span>

namespace tcfdl::exec {

enum class Mode : std::uint8_t { kOnce, kServe };

struct Order {
  Mode mode = Mode::kOnce;
  Command command;
};

/// Reads `once|serve PROGRAM [ARGS…]`. INVALID_ARGUMENT is the usage.
Result<Order> parse_order(std::span<char* const> arguments);

/// Provides the function until it is drained; `arguments` without the program's own name. Returns main's exit code.
int run(std::span<char* const> arguments);

} // namespace tcfdl::exec
