#include "base/schedule.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <vector>

namespace tcfdl {
namespace {

constexpr std::size_t kLongestSchedule = 256;
/// A 29th of February on a given weekday comes within so many years.
constexpr int kMostDays = 366 * 41;
constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kDay = 24 * 60 * kMinute;

struct Field {
  std::string_view name;
  unsigned least;
  unsigned most;
};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const auto end = std::min(text.find(by, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

Result<unsigned> number_of(std::string_view text, const Field& field) {
  unsigned number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure == std::errc() && end == text.data() + text.size() && number >= field.least && number <= field.most) {
    return number;
  }
  return make_error(Code::kInvalidArgument, "cron: '{}' is no {}, which is {} to {}", text, field.name, field.least,
                    field.most);
}

/// `*`, `A`, `A-B`, each with `/STEP`; a number with a step goes on to the end.
template <std::size_t Size> Status add_range(std::string_view text, const Field& field, std::bitset<Size>& out) {
  const auto slash = text.find('/');
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    TCFDL_ASSIGN(step, number_of(text.substr(slash + 1), {"step", 1, field.most}));
  }
  const auto range = text.substr(0, slash);
  auto first = field.least;
  auto last = field.most;
  if (range != "*") {
    const auto dash = range.find('-');
    TCFDL_ASSIGN(first, number_of(range.substr(0, dash), field));
    last = slash == std::string_view::npos ? first : field.most;
    if (dash != std::string_view::npos) {
      TCFDL_ASSIGN(last, number_of(range.substr(dash + 1), field));
    }
  }
  if (first > last) return make_error(Code::kInvalidArgument, "cron: the {}s '{}' go backwards", field.name, range);
  for (auto each = first; each <= last; each += step) out.set(each);
  return {};
}

template <std::size_t Size> Status read_field(std::string_view text, const Field& field, std::bitset<Size>& out) {
  for (const auto part : split(text, ',')) TCFDL_TRY(add_range(part, field, out));
  return {};
}

} // namespace

Result<Schedule> Schedule::parse(std::string_view text) {
  std::vector<std::string_view> fields;
  for (const auto part : split(text.substr(0, kLongestSchedule + 1), ' ')) {
    if (!part.empty()) fields.push_back(part);
  }
  if (text.size() > kLongestSchedule || fields.size() != 5) {
    return make_error(Code::kInvalidArgument, "cron: '{}' has not five fields: minute hour day month weekday",
                      text.substr(0, kLongestSchedule));
  }
  Schedule schedule;
  TCFDL_TRY(read_field(fields[0], {"minute", 0, 59}, schedule.minutes_));
  TCFDL_TRY(read_field(fields[1], {"hour", 0, 23}, schedule.hours_));
  TCFDL_TRY(read_field(fields[2], {"day", 1, 31}, schedule.days_));
  TCFDL_TRY(read_field(fields[3], {"month", 1, 12}, schedule.months_));
  TCFDL_TRY(read_field(fields[4], {"weekday", 0, 7}, schedule.weekdays_));
  if (schedule.weekdays_.test(7)) schedule.weekdays_.set(0);
  schedule.any_day_ = fields[2] == "*";
  schedule.any_weekday_ = fields[4] == "*";
  if (schedule.find(0)) return schedule;
  return make_error(Code::kInvalidArgument, "cron: the days of '{}' never come", text);
}

std::int64_t Schedule::next(std::int64_t after) const { return find(after).value_or(after + kDay); }

/// As cron has it: where day and weekday are both given, either of them.
bool Schedule::on_day(unsigned month, unsigned day, unsigned weekday) const {
  if (!months_.test(month)) return false;
  if (any_day_) return any_weekday_ || weekdays_.test(weekday);
  return days_.test(day) || (!any_weekday_ && weekdays_.test(weekday));
}

/// Minutes since midnight, not before that one.
std::optional<std::int64_t> Schedule::in_day(std::int64_t from_minute) const {
  for (auto minute = from_minute; minute < kDay / kMinute; ++minute) {
    if (hours_.test(static_cast<std::size_t>(minute / 60)) && minutes_.test(static_cast<std::size_t>(minute % 60))) {
      return minute;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> Schedule::find(std::int64_t after) const {
  const auto start = after - after % kMinute + kMinute;
  auto day = std::chrono::sys_days(std::chrono::days(start / kDay));
  auto from_minute = start % kDay / kMinute;
  for (int i = 0; i < kMostDays; ++i, day += std::chrono::days(1), from_minute = 0) {
    const std::chrono::year_month_day date(day);
    const auto weekday = std::chrono::weekday(day).c_encoding();
    if (!on_day(static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), weekday)) continue;
    if (const auto minute = in_day(from_minute)) {
      return day.time_since_epoch().count() * kDay + *minute * kMinute;
    }
  }
  return std::nullopt;
}

} // namespace tcfdl
