#include "metrics/page.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sstream>
#include <unistd.h>

namespace tcfdl::metrics {
namespace {

prometheus::ClientMetric labelled(const Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) {
    auto& label = metric.label.emplace_back();
    label.name = name;
    label.value = value;
  }
  return metric;
}

/// Fields of /proc/self/stat from the third on, which follow the name in its brackets.
std::vector<double> stat_fields() {
  constexpr std::size_t kLargest = 4096;
  std::vector<double> fields;
  const auto text = read_text_file("/proc/self/stat", kLargest);
  const auto name_end = text ? text->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(text->substr(name_end + 1));
  for (std::string field; rest >> field;) {
    double value = 0;
    std::from_chars(field.data(), field.data() + field.size(), value);
    fields.push_back(value);
  }
  return fields;
}

/// Seconds since the epoch at which this machine started.
double boot_time() {
  constexpr std::size_t kLargest = std::size_t{1} << 20U;
  const auto text = read_text_file("/proc/stat", kLargest);
  const auto at = text ? text->find("btime ") : std::string::npos;
  double value = 0;
  if (at != std::string::npos) std::from_chars(text->data() + at + 6, text->data() + text->size(), value);
  return value;
}

double open_descriptors() {
  std::error_code failure;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end; !failure && at != end;
       at.increment(failure)) {
    ++count;
  }
  return count;
}

} // namespace

class Page::Families {
public:
  prometheus::ClientMetric& add(const std::string& name, const std::string& help, prometheus::MetricType type,
                                const Labels& labels) {
    auto found = std::ranges::find(all_, name, &prometheus::MetricFamily::name);
    if (found == all_.end()) found = all_.insert(found, {.name = name, .help = help, .type = type, .metric = {}});
    return found->metric.emplace_back(labelled(labels));
  }
  [[nodiscard]] const std::vector<prometheus::MetricFamily>& all() const { return all_; }

private:
  std::vector<prometheus::MetricFamily> all_; // in the order of their first figures
};

Page::Page() : families_(std::make_unique<Families>()) {}
Page::~Page() = default;

void Page::counter(const std::string& name, const std::string& help, double value, const Labels& labels) {
  families_->add(name, help, prometheus::MetricType::Counter, labels).counter.value = value;
}

void Page::counter(const std::string& name, const std::string& help, std::uint64_t value, const Labels& labels) {
  counter(name, help, static_cast<double>(value), labels);
}

void Page::gauge(const std::string& name, const std::string& help, double value, const Labels& labels) {
  families_->add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value;
}

void Page::durations(const std::string& name, const std::string& help, const Durations& value, const Labels& labels) {
  auto& histogram = families_->add(name, help, prometheus::MetricType::Histogram, labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < Durations::kBounds.size(); ++i) {
    count += value.counts[i];
    histogram.bucket.push_back({.cumulative_count = count, .upper_bound = Durations::kBounds[i]});
  }
  histogram.sample_count = count + value.counts.back();
  histogram.sample_sum = value.sum; // the serialiser adds the last bucket itself
}

void Page::add_process() {
  constexpr std::size_t kUserTime = 11; // of `stat_fields`, which begin with field 3 of proc(5)
  constexpr std::size_t kSystemTime = 12;
  constexpr std::size_t kStart = 19;
  constexpr std::size_t kVirtual = 20;
  constexpr std::size_t kResident = 21;
  const auto fields = stat_fields();
  if (fields.size() <= kResident) return;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  counter("process_cpu_seconds_total", "Processor time, in user and system mode.",
          (fields[kUserTime] + fields[kSystemTime]) / ticks);
  gauge("process_resident_memory_bytes", "Memory in use.", fields[kResident] * page);
  gauge("process_virtual_memory_bytes", "Address space in use.", fields[kVirtual]);
  gauge("process_start_time_seconds", "Start of the process, Unix time.", boot_time() + fields[kStart] / ticks);
  gauge("process_open_fds", "Open file descriptors.", open_descriptors());
}

std::string Page::text() const { return prometheus::TextSerializer().Serialize(families_->all()); }

} // namespace tcfdl::metrics
