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

namespace {

constexpr unsigned kTurns = 10;

/// P50 of a row that was measured before; 0 for none.
double p50_of(const Json& rows, const std::string& name, std::size_t size) {
  for (const auto& row : rows) {
    if (row["name"] == name && row["size"] == size) return row["p50_us"];
  }
  return 0;
}

} // namespace

void append_row(const BenchRow& measured, std::size_t size, const Sample& sample, Json& rows) {
  const auto own = sample.percentile(0.5);
  const auto floor = [&](const std::string& name) { return name == measured.name ? own : p50_of(rows, name, size); };
  auto row = bench_row(measured.name, size, sample, measured.floor, floor(measured.floor));
  for (const auto& goal : measured.goals) {
    const auto ratio = own / floor(goal.floor);
    row["goals"].push_back({{"floor", goal.floor}, {"most", goal.most}, {"ratio", ratio}, {"met", ratio <= goal.most}});
  }
  rows.push_back(std::move(row));
}

namespace {

/// `turn` gives the durations of one row in one turn.
Status add_by_turns(const std::vector<BenchRow>& measured, std::size_t size, Json& rows,
                    const std::function<Result<Sample>(const Operation&)>& turn) {
  std::vector<Sample> samples(measured.size());
  for (unsigned i = 0; i < kTurns; ++i) {
    for (std::size_t row = 0; row < measured.size(); ++row) {
      auto part = turn(measured[row].operation);
      if (!part) return part.error().within(measured[row].name);
      samples[row].micros.insert(samples[row].micros.end(), part->micros.begin(), part->micros.end());
    }
  }
  for (std::size_t row = 0; row < measured.size(); ++row) append_row(measured[row], size, samples[row], rows);
  return {};
}

std::string goals_of(const Json& row) {
  std::string text;
  for (const auto& goal : row.value("goals", Json::array())) {
    text += fmt::format("{}{:.2f} {} {:g} {}", text.empty() ? "" : ", ", goal["ratio"].get<double>(),
                        goal["met"].get<bool>() ? "<=" : "above", goal["most"].get<double>(),
                        goal["floor"].get<std::string>());
  }
  return text;
}

} // namespace

Status add_rows(const std::vector<BenchRow>& measured, std::size_t size, unsigned repeats, Json& rows) {
  const auto part = std::max(1U, repeats / kTurns);
  return add_by_turns(measured, size, rows, [part](const Operation& operation) { return measure(part, operation); });
}

Status add_parallel_rows(const std::vector<BenchRow>& measured, std::size_t size, unsigned callers, unsigned each,
                         Json& rows) {
  return add_by_turns(measured, size, rows, [callers, each](const Operation& operation) {
    return measure_parallel(1, callers, each, operation);
  });
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
      {"NAME", "SIZE", "N", "P50 us", "P99 us", "FLOOR", "FLOOR P50 us", "RATIO", "GOALS"}};
  for (const auto& entry : rows) {
    lines.push_back({entry["name"], fmt::format("{}", entry["size"].get<std::size_t>()),
                     fmt::format("{}", entry["n"].get<std::size_t>()), micros(entry["p50_us"]), micros(entry["p99_us"]),
                     entry["floor"], micros(entry["floor_p50_us"]), fmt::format("{:.2f}", entry["ratio"].get<double>()),
                     goals_of(entry)});
  }
  print(table(lines));
}

} // namespace tcfdl::cli
