// When something is due: five fields as of cron, in UTC. docs/formats/cron.md.
#pragma once

#include "base/result.hpp"

#include <bitset>
#include <optional>

namespace tcfdl {

/// Immutable.
class Schedule {
public:
  /// `minute hour day month weekday`. INVALID_ARGUMENT says which field is wrong, also for days that never come.
  static Result<Schedule> parse(std::string_view text);

  /// The first time after that one, Unix seconds; a full minute.
  [[nodiscard]] std::int64_t next(std::int64_t after) const;

private:
  Schedule() = default;
  [[nodiscard]] std::optional<std::int64_t> find(std::int64_t after) const;
  [[nodiscard]] bool on_day(unsigned month, unsigned day, unsigned weekday) const;
  [[nodiscard]] std::optional<std::int64_t> in_day(std::int64_t from_minute) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     ///< from 1
  std::bitset<13> months_;   ///< from 1
  std::bitset<8> weekdays_;  ///< Sunday is 0
  bool any_day_ = false;     ///< `*`: the weekday decides
  bool any_weekday_ = false; ///< `*`: the day decides
};

} // namespace tcfdl
