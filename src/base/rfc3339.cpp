#include "base/rfc3339.hpp"

#include <optional>

namespace tcfdl {
namespace {

using namespace std::chrono;

/// Takes characters from the front of a text.
class Reader {
public:
  explicit Reader(std::string_view text) : text_(text) {}

  /// A number of exactly `digits` digits.
  std::optional<int> number(std::size_t digits) {
    if (text_.size() < digits) return {};
    int value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (c < '0' || c > '9') return {};
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return value;
  }

  /// One of `any`; '\0' if the text does not go on with one.
  char take(std::string_view any) {
    if (text_.empty() || !any.contains(text_.front())) return '\0';
    const char taken = text_.front();
    text_.remove_prefix(1);
    return taken;
  }

  [[nodiscard]] bool at_end() const { return text_.empty(); }

private:
  std::string_view text_;
};

std::optional<UnixSeconds> read_date(Reader& reader) {
  const auto y = reader.number(4);
  if (reader.take("-") == '\0') return {};
  const auto m = reader.number(2);
  if (reader.take("-") == '\0') return {};
  const auto d = reader.number(2);
  if (!y || !m || !d) return {};
  const year_month_day date(year(*y), month(static_cast<unsigned>(*m)), day(static_cast<unsigned>(*d)));
  if (!date.ok()) return {};
  return duration_cast<seconds>(sys_days(date).time_since_epoch()).count();
}

/// Hours and minutes, in seconds.
std::optional<UnixSeconds> read_minutes(Reader& reader) {
  constexpr int kHours = 24;
  constexpr int kMinutes = 60;
  const auto h = reader.number(2);
  if (reader.take(":") == '\0') return {};
  const auto m = reader.number(2);
  if (!h || !m || *h >= kHours || *m >= kMinutes) return {};
  return (*h * kMinutes + *m) * kMinutes;
}

std::optional<UnixSeconds> read_offset(Reader& reader) {
  const char sign = reader.take("Zz+-");
  if (sign == 'Z' || sign == 'z') return 0;
  const auto offset = sign == '\0' ? std::nullopt : read_minutes(reader);
  if (!offset) return {};
  return sign == '+' ? *offset : -*offset;
}

std::optional<UnixSeconds> read_time(Reader& reader) {
  constexpr int kSeconds = 60;
  const auto to_minute = read_minutes(reader);
  if (reader.take(":") == '\0') return {};
  const auto second = reader.number(2);
  if (!to_minute || !second || *second >= kSeconds) return {};
  if (reader.take(".") != '\0') {
    if (!reader.number(1)) return {};
    while (reader.number(1)) {
    }
  }
  const auto offset = read_offset(reader);
  if (!offset) return {};
  return *to_minute + *second - *offset;
}

} // namespace

std::string to_rfc3339(UnixSeconds time) {
  constexpr UnixSeconds kEarliest = -62'167'219'200;
  constexpr UnixSeconds kLatest = 253'402'300'799;
  if (time < kEarliest || time > kLatest) return fmt::format("{}", time);
  const sys_seconds point{seconds(time)};
  const auto midnight = floor<days>(point);
  const year_month_day date(midnight);
  const hh_mm_ss clock(point - midnight);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

Result<UnixSeconds> from_rfc3339(std::string_view text) {
  Reader reader(text);
  const auto date = read_date(reader);
  if (date && reader.at_end()) return *date;
  const auto time = date && reader.take("Tt ") != '\0' ? read_time(reader) : std::nullopt;
  if (date && time && reader.at_end()) return *date + *time;
  return make_error(Code::kInvalidArgument, "'{}' is no time as 2025-07-01T00:00:00Z", text.substr(0, 40));
}

} // namespace tcfdl
