// Rows of benchmarks: durations of an operation beside those of its floor.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tcfdl::cli {

/// One run of what is measured.
using Operation = std::function<Status()>;

/// Durations of single runs, microseconds.
struct Sample {
  std::vector<double> micros;
  [[nodiscard]] double percentile(double share) const;
};

/// `repeats` durations after a warm-up. Each is the mean of `batch` runs, for what is shorter than a clock's reading.
Result<Sample> measure(unsigned repeats, const Operation& operation, unsigned batch = 1);

/// A goal: at most so many times the floor of that name.
struct BenchGoal {
  std::string floor;
  double most;
};

/// What is measured in one row. `operation` may be empty for `append_row`. Floors are earlier rows of the same size, or
/// the row itself.
struct BenchRow {
  std::string name;
  Operation operation;
  std::string floor;
  std::vector<BenchGoal> goals{};
};

/// Appends a row that was measured already.
void append_row(const BenchRow& measured, std::size_t size, const Sample& sample, nlohmann::json& rows);

/// Appends the rows to `rows`. They are measured by turns, a part of the repeats at a time, so that what else the
/// machine does meets all of them.
Status add_rows(const std::vector<BenchRow>& measured, std::size_t size, unsigned repeats, nlohmann::json& rows);

/// The same, with rounds as `measure_parallel` has them.
Status add_parallel_rows(const std::vector<BenchRow>& measured, std::size_t size, unsigned callers, unsigned each,
                         nlohmann::json& rows);

/// `rounds` durations after one that is not counted: the time of a round, in which each of `callers` threads runs the
/// operation `each` times, over all those runs. The first error ends it.
Result<Sample> measure_parallel(unsigned rounds, unsigned callers, unsigned each, const Operation& operation);

/// A row of the report; `size` in bytes.
nlohmann::json bench_row(const std::string& name, std::size_t size, const Sample& sample, const std::string& floor,
                         double floor_p50);

/// The rows as a table, with fractions of a microsecond where they matter.
void print_bench_rows(const nlohmann::json& rows);

} // namespace tcfdl::cli
