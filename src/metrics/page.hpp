// What a process tells a Prometheus server: families of figures as text. docs/metrics.md lists them.
#pragma once

#include "base/durations.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tcfdl::metrics {

/// The media type of `Page::text`.
constexpr const char* kMediaType = "text/plain; version=0.0.4; charset=utf-8";

/// Names and values; values may be any UTF-8.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// One answer to a scrape, made of figures that their owners count. Figures of one name are one family, which takes the
/// help and type of its first. Of one thread.
class Page {
public:
  Page();
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  ~Page();

  /// What only grows since the start of what counts it. The name ends with `_total`.
  void counter(const std::string& name, const std::string& help, std::uint64_t value, const Labels& labels = {});
  /// The same in seconds or other fractions.
  void counter(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  void gauge(const std::string& name, const std::string& help, double value, const Labels& labels = {});
  /// The name ends with `_seconds`.
  void durations(const std::string& name, const std::string& help, const Durations& value, const Labels& labels = {});

  /// Processor time, memory, descriptors and start of this process, under the names that Prometheus' own libraries use.
  void add_process();

  /// Prometheus' text exposition format, version 0.0.4.
  [[nodiscard]] std::string text() const;

private:
  class Families;
  std::unique_ptr<Families> families_;
};

} // namespace tcfdl::metrics
