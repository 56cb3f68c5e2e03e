// Tasks over time, read from and written to files. docs/formats/trace.md.
#pragma once

#include "base/ids.hpp"
#include "wire/messages.hpp"

#include <string>
#include <vector>

namespace tcfdl::task_manager {

struct TracedTask {
  std::uint64_t at_us = 0;      ///< since the start of the trace
  std::uint32_t function = 0;   ///< index
  std::uint32_t caller = 0;     ///< index
  std::uint64_t service_us = 0; ///< on a node of speed 1
  std::uint64_t body = 0;       ///< bytes
  wire::Priority priority = wire::PRIORITY_NORMAL;
  std::uint32_t timeout_ms = 30'000;
};

/// In the order of time.
struct Trace {
  std::vector<FunctionName> functions;
  std::vector<std::string> callers;
  std::vector<TracedTask> tasks;
};

/// INVALID_ARGUMENT names the line. At most 10 million tasks, 100,000 functions and 1 million callers.
Result<Trace> parse_trace(std::string_view text);
std::string write_trace(const Trace& trace);

struct GeneratorSettings {
  std::size_t tasks = 100'000;
  std::size_t functions = 1;
  std::size_t callers = 20;
  double busy_slots = 8; ///< how many tasks run at once on average, on nodes of speed 1
  std::uint64_t seed = 1;
};

/// Poisson arrivals; functions and callers by Zipf's law; service times log-normal around each function's own mean of
/// 20 to 200 ms; bodies log-normal around 32 KiB. The same for the same settings.
Trace generate_trace(const GeneratorSettings& settings);

/// The mean of all tasks, microseconds.
double mean_service_us(const Trace& trace);

} // namespace tcfdl::task_manager
