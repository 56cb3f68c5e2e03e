// Counts of what happened, by what it was and how it ended.
#pragma once

#include "base/guarded.hpp"
#include "metrics/page.hpp"

#include <map>

namespace tcfdl::metrics {

/// Thread-safe. Both texts are labels, so both come from closed lists.
class Tally {
public:
  void add(const std::string& what, const std::string& how) {
    counts_.with([&](auto& counts) { ++counts[{what, how}]; });
  }

  /// Puts a counter for each pair on the page, with the names of the two labels and with `more`.
  void put_on(Page& page, const std::string& name, const std::string& help, const std::string& what,
              const std::string& how, const Labels& more = {}) const {
    const auto counts = counts_.with([](const auto& current) { return current; });
    for (const auto& [pair, count] : counts) {
      auto labels = more;
      labels.emplace_back(what, pair.first);
      labels.emplace_back(how, pair.second);
      page.counter(name, help, count, labels);
    }
  }

private:
  Guarded<std::map<std::pair<std::string, std::string>, std::uint64_t>> counts_;
};

} // namespace tcfdl::metrics
