// Structured logs of a process: one line an event on standard error. Secrets and task data never reach them.
#pragma once

#include "base/format.hpp"

#include <spdlog/spdlog.h>
#include <string>

namespace tcfdl {

/// Names the process in its log lines and sets the level (`trace` … `error`). Called once, before threads start.
void start_logging(const std::string& program, const std::string& level = "info");

} // namespace tcfdl
