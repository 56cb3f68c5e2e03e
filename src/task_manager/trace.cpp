#include "task_manager/trace.hpp"

#include "task_manager/draws.hpp"
#include "wire/priority.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <unordered_map>

namespace tcfdl::task_manager {
namespace {

constexpr std::string_view kHeader = "time_us,function,service_us,body_bytes,caller,priority,timeout_ms";
constexpr std::size_t kColumns = 7;
constexpr std::size_t kMostTasks = 10'000'000;
constexpr std::size_t kMostFunctions = 100'000;
constexpr std::size_t kMostCallers = 1'000'000;
constexpr std::size_t kLongestCaller = 128;
constexpr std::uint64_t kLongestTime = std::uint64_t{366} * 86'400 * 1'000'000; // a year, microseconds
constexpr std::uint64_t kLargestBody = std::uint64_t{1} << 30U;
constexpr std::uint64_t kLongestTimeout = 86'400'000;

/// Names in the order of their first use.
class Names {
public:
  std::uint32_t index_of(std::string_view name) {
    return index_.try_emplace(std::string(name), static_cast<std::uint32_t>(index_.size())).first->second;
  }
  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::vector<std::string> take() {
    std::vector<std::string> names(index_.size());
    for (auto& [name, index] : index_) names[index] = name;
    return names;
  }

private:
  std::unordered_map<std::string, std::uint32_t> index_;
};

class Reader {
public:
  Status read(std::string_view line) {
    TCFDL_TRY(split(line));
    TracedTask task;
    TCFDL_TRY(number(0, "time_us", kLongestTime, task.at_us));
    TCFDL_TRY(parse_function_name(fields_[1]));
    task.function = functions_.index_of(fields_[1]);
    TCFDL_TRY(number(2, "service_us", kLongestTime, task.service_us));
    TCFDL_TRY(number(3, "body_bytes", kLargestBody, task.body));
    if (fields_[4].empty() || fields_[4].size() > kLongestCaller) {
      return make_error(Code::kInvalidArgument, "caller: 1 to {} bytes are wanted", kLongestCaller);
    }
    task.caller = callers_.index_of(fields_[4]);
    TCFDL_TRY(priority(task.priority));
    std::uint64_t timeout = task.timeout_ms;
    if (!fields_[6].empty()) TCFDL_TRY(number(6, "timeout_ms", kLongestTimeout, timeout));
    task.timeout_ms = static_cast<std::uint32_t>(timeout);
    if (!trace_.tasks.empty() && task.at_us < trace_.tasks.back().at_us) {
      return Error(Code::kInvalidArgument, "time_us: is before the line above; sort by time");
    }
    trace_.tasks.push_back(task);
    if (trace_.tasks.size() <= kMostTasks && functions_.size() <= kMostFunctions && callers_.size() <= kMostCallers) {
      return {};
    }
    return make_error(Code::kInvalidArgument, "more than {} tasks, {} functions or {} callers", kMostTasks,
                      kMostFunctions, kMostCallers);
  }

  Trace take() {
    for (auto& name : functions_.take()) trace_.functions.emplace_back(std::move(name));
    trace_.callers = callers_.take();
    return std::move(trace_);
  }

private:
  Status split(std::string_view line) {
    fields_.fill({});
    for (std::size_t column = 0;; ++column) {
      if (column == kColumns) return make_error(Code::kInvalidArgument, "more than {} fields", kColumns);
      const auto comma = line.find(',');
      fields_[column] = line.substr(0, comma);
      if (comma == std::string_view::npos) break;
      line.remove_prefix(comma + 1);
    }
    return {};
  }

  Status number(std::size_t column, std::string_view name, std::uint64_t most, std::uint64_t& out) const {
    const auto text = fields_[column];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
    if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && out <= most) return {};
    return make_error(Code::kInvalidArgument, "{}: '{}' is no whole number from 0 to {}", name, text.substr(0, 40),
                      most);
  }

  Status priority(wire::Priority& out) const {
    if (fields_[5].empty()) return {};
    const auto parsed = wire::parse_priority(fields_[5]);
    if (!parsed) return parsed.error().within("priority");
    out = *parsed;
    return {};
  }

  std::array<std::string_view, kColumns> fields_;
  Names functions_;
  Names callers_;
  Trace trace_;
};

/// Draws from 0 to count - 1, the k-th in proportion to 1 / (k + 1).
class Zipf {
public:
  explicit Zipf(std::size_t count) : sums_(count) {
    double sum = 0;
    for (std::size_t k = 0; k < count; ++k) sums_[k] = sum += 1.0 / static_cast<double>(k + 1);
  }
  std::uint32_t draw(Draws& draws) const {
    const auto found = std::ranges::lower_bound(sums_, draws.unit() * sums_.back());
    return static_cast<std::uint32_t>(std::min<std::ptrdiff_t>(found - sums_.begin(), std::ssize(sums_) - 1));
  }

private:
  std::vector<double> sums_;
};

std::uint64_t whole(double value, std::uint64_t least, std::uint64_t most) {
  return static_cast<std::uint64_t>(std::clamp(value, static_cast<double>(least), static_cast<double>(most)));
}

} // namespace

Result<Trace> parse_trace(std::string_view text) {
  Reader reader;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1) {
      if (line != kHeader) return make_error(Code::kInvalidArgument, "line 1: the header '{}' is wanted", kHeader);
      continue;
    }
    if (line.empty()) continue;
    if (const auto read = reader.read(line); !read) return read.error().within(fmt::format("line {}", number));
  }
  return reader.take();
}

std::string write_trace(const Trace& trace) {
  std::string out = fmt::format("{}\n", kHeader);
  for (const auto& task : trace.tasks) {
    out += fmt::format("{},{},{},{},{},{},{}\n", task.at_us, trace.functions[task.function], task.service_us, task.body,
                       trace.callers[task.caller], wire::priority_word(task.priority), task.timeout_ms);
  }
  return out;
}

Trace generate_trace(const GeneratorSettings& settings) {
  Draws draws(settings.seed);
  Trace trace;
  std::vector<double> means;
  for (std::size_t k = 0; k < settings.functions; ++k) {
    trace.functions.emplace_back(fmt::format("function-{}", k));
    means.push_back(20'000 * std::pow(10.0, draws.unit()));
  }
  for (std::size_t k = 0; k < settings.callers; ++k) trace.callers.push_back(fmt::format("caller-{}", k));
  const Zipf functions(settings.functions);
  const Zipf callers(settings.callers);
  double now = 0;
  std::vector<double> times; // in mean distances between tasks
  trace.tasks.reserve(settings.tasks);
  for (std::size_t i = 0; i < settings.tasks; ++i) {
    now += draws.exponential(1);
    TracedTask task;
    times.push_back(now);
    task.function = functions.draw(draws);
    task.caller = callers.draw(draws);
    // Log-normal with the wanted mean: exp(mu + sigma²/2).
    constexpr double kSigma = 0.5;
    task.service_us =
        whole(means[task.function] * std::exp(kSigma * draws.normal() - kSigma * kSigma / 2), 100, 60'000'000);
    task.body = whole(32'768 * std::exp(1.5 * draws.normal()), 1, std::uint64_t{8} << 20U);
    trace.tasks.push_back(task);
  }
  const auto distance = mean_service_us(trace) / settings.busy_slots;
  for (std::size_t i = 0; i < times.size(); ++i) {
    trace.tasks[i].at_us = static_cast<std::uint64_t>(times[i] * distance);
  }
  return trace;
}

double mean_service_us(const Trace& trace) {
  const auto sum = std::accumulate(trace.tasks.begin(), trace.tasks.end(), 0.0, [](double so_far, const auto& task) {
    return so_far + static_cast<double>(task.service_us);
  });
  return trace.tasks.empty() ? 0 : sum / static_cast<double>(trace.tasks.size());
}

} // namespace tcfdl::task_manager
