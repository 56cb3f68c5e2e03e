#include "base/log.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/chrono.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>

namespace tcfdl {
namespace {

constexpr std::array<std::string_view, 6> kLevels{"trace", "debug", "info", "warning", "error", "off"};

LogSubject& subject_of_thread() noexcept {
  thread_local LogSubject subject;
  return subject;
}

std::string rfc3339_millis(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  const auto millis = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(millis / 1000)),
                     millis % 1000);
}

std::string level_name(spdlog::level::level_enum level) {
  const auto name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

/// The fields that have a value, in the order of their output.
std::vector<std::pair<const char*, std::string_view>> fields_of(const LogSubject& subject) {
  std::vector<std::pair<const char*, std::string_view>> fields;
  if (!subject.task.empty()) fields.emplace_back("task", subject.task);
  if (!subject.function.empty()) fields.emplace_back("function", subject.function);
  if (!subject.trace.empty()) fields.emplace_back("trace", subject.trace);
  return fields;
}

/// A peer's text cannot begin another line, nor reach the terminal's controls.
void append_printable(std::string& line, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
}

std::string text_line(const LogSettings& settings, const std::string& time, const std::string& level,
                      std::string_view message) {
  const auto& name = settings.instance.empty() ? settings.node : settings.instance;
  auto line = fmt::format("{} {} {}{}{} ", time, level, settings.component, name.empty() ? "" : "/", name);
  append_printable(line, message);
  for (const auto& [key, value] : fields_of(subject_of_thread())) {
    line += fmt::format(" {}=", key);
    append_printable(line, value);
  }
  return line;
}

std::string json_line(const LogSettings& settings, const std::string& time, const std::string& level,
                      std::string_view message) {
  nlohmann::ordered_json line{{"time", time}, {"level", level}, {"component", settings.component}};
  if (!settings.node.empty()) line["node"] = settings.node;
  if (!settings.instance.empty()) line["instance"] = settings.instance;
  line["message"] = message;
  for (const auto& [key, value] : fields_of(subject_of_thread())) line[key] = value;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class LineFormatter final : public spdlog::formatter {
public:
  explicit LineFormatter(LogSettings settings) : settings_(std::move(settings)) {}
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto line =
        format_log_line(settings_, message.level, message.time, {message.payload.data(), message.payload.size()});
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(settings_);
  }

private:
  const LogSettings settings_;
};

} // namespace

Result<LogFormat> log_format_from_name(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return make_error(Code::kInvalidArgument, "'{}' is neither text nor json", name);
}

std::string_view log_format_name(LogFormat format) noexcept { return format == LogFormat::kJson ? "json" : "text"; }

Status check_log_level(std::string_view level) {
  if (std::ranges::find(kLevels, level) != kLevels.end()) return {};
  return make_error(Code::kInvalidArgument, "'{}' is no level of logs: trace, debug, info, warning, error, off", level);
}

std::string format_log_line(const LogSettings& settings, spdlog::level::level_enum level,
                            std::chrono::system_clock::time_point time, std::string_view message) {
  const auto line = settings.format == LogFormat::kJson ? json_line : text_line;
  return line(settings, rfc3339_millis(time), level_name(level), message);
}

void start_logging(const LogSettings& settings) {
  auto logger = spdlog::stderr_logger_mt(settings.component);
  logger->set_formatter(std::make_unique<LineFormatter>(settings));
  logger->set_level(spdlog::level::from_str(settings.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void start_logging_as_told(LogSettings settings) {
  const auto told = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const auto level = told("TCFDL_LOG_LEVEL"); check_log_level(level)) settings.level = level;
  if (const auto format = log_format_from_name(told("TCFDL_LOG_FORMAT"))) settings.format = *format;
  start_logging(settings);
}

LogScope::LogScope(const LogSubject& subject) noexcept : before_(std::exchange(subject_of_thread(), subject)) {}

LogScope::~LogScope() { subject_of_thread() = before_; }

} // namespace tcfdl
