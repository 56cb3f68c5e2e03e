#include "cli/bench_rows.hpp"

#include "cli/command.hpp"

#include <algorithm>
#include <chrono>
#include <future>

namespace tcfdl::cli {

double Sample::percentile(double share) const {
  auto sorted = micros;
  std::ranges::sort(sorted);
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

Result<Sample> measure(unsigned repeats, const Operation& operation, unsigned batch) {
  for (unsigned i = 0; i < std::max(3U, repeats / 10); ++i) TCFDL_TRY(operation());
  Sample sample;
  for (unsigned i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    for (unsigned run = 0; run < batch; ++run) TCFDL_TRY(operation());
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    sample.micros.push_back(spent.count() / batch);
  }
  return sample;
}

Result<Sample> measure_parallel(unsigned rounds, unsigned callers, unsigned each, const Operation& operation) {
  Sample sample;
  for (unsigned round = 0; round <= rounds; ++round) {
    std::vector<std::future<Status>> running;
    const auto start = std::chrono::steady_clock::now();
    for (unsigned caller = 0; caller < callers; ++caller) {
      running.push_back(std::async(std::launch::async, [&]() -> Status {
        for (unsigned run = 0; run < each; ++run) TCFDL_TRY(operation());
        return {};
      }));
    }
    Status done;
    for (auto& caller : running) {
      if (auto ended = caller.get(); !ended) done = std::move(ended);
    }
    TCFDL_TRY(done);
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    if (round > 0) sample.micros.push_back(spent.count() / (callers * each));
  }
  return sample;
}

Json bench_row(const std::string& name, std::size_t size, const Sample& sample, const std::string& floor,
               double floor_p50) {
  const auto p50 = sample.percentile(0.5);
  return {{"name", name},
          {"size", size},
          {"n", sample.micros.size()},
          {"p50_us", p50},
          {"p99_us", sample.percentile(0.99)},
          {"floor", floor},
          {"floor_p50_us", floor_p50},
          {"ratio", p50 / floor_p50}};
}

void print_bench_rows(const Json& rows) {
  const auto micros = [](const Json& value) {
    const auto number = value.get<double>();
    return number < 100 ? fmt::format("{:.2f}", number) : fmt::format("{:.0f}", number);
  };
  std::vector<std::vector<std::string>> lines{
      {"NAME", "SIZE", "N", "P50 us", "P99 us", "FLOOR", "FLOOR P50 us", "RATIO"}};
  for (const auto& entry : rows) {
    lines.push_back({entry["name"], fmt::format("{}", entry["size"].get<std::size_t>()),
                     fmt::format("{}", entry["n"].get<std::size_t>()), micros(entry["p50_us"]), micros(entry["p99_us"]),
                     entry["floor"], micros(entry["floor_p50_us"]),
                     fmt::format("{:.2f}", entry["ratio"].get<double>())});
  }
  print(table(lines));
}

} // namespace tcfdl::cli
