// Structured logs of a process: one line an event on standard error. Secrets and task data never reach them.
#pragma once

#include "base/format.hpp"

#include <spdlog/spdlog.h>
#include <string>
#include <tcfdl/result.hpp>

namespace tcfdl {

/// `kText`: time, level, component and name, message, then fields as `key=value`. `kJson`: an object. docs/logs.md.
enum class LogFormat : std::uint8_t { kText, kJson };

/// INVALID_ARGUMENT for any word but `text` and `json`.
Result<LogFormat> log_format_from_name(std::string_view name);
std::string_view log_format_name(LogFormat format) noexcept;

/// INVALID_ARGUMENT for any word but `trace`, `debug`, `info`, `warning`, `error` and `off`.
Status check_log_level(std::string_view level);

/// What every line of a process has.
struct LogSettings {
  std::string component;     ///< what the process is: `master`, `instance`, …
  std::string node{};        ///< where it runs; empty: not known
  std::string instance{};    ///< of an instance or a gateway
  std::string level{"info"}; ///< the least that is written
  LogFormat format = LogFormat::kText;
};

/// Called once, before threads start.
void start_logging(const LogSettings& settings);

/// The same with level and format as TCFDL_LOG_LEVEL and TCFDL_LOG_FORMAT say, where a daemon set them for a process
/// that it started.
void start_logging_as_told(LogSettings settings);

/// What a thread's lines are about.
struct LogSubject {
  std::string_view task{};
  std::string_view function{};
  std::string_view trace{}; ///< trace id of W3C trace context
};

/// While it lives, lines of the thread that made it carry its fields, which outlive it. The innermost counts.
class LogScope {
public:
  explicit LogScope(const LogSubject& subject) noexcept;
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;
  ~LogScope();

private:
  LogSubject before_;
};

/// A line as it is written, without its end. For tests.
std::string format_log_line(const LogSettings& settings, spdlog::level::level_enum level,
                            std::chrono::system_clock::time_point time, std::string_view message);

} // namespace tcfdl
