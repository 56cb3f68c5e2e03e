// Sizes and durations as people write them: `512MiB`, `200ms`. Strict: a unit is always said, nothing is rounded.
#pragma once

#include "base/result.hpp"

#include <charconv>
#include <chrono>
#include <limits>
#include <span>

namespace tcfdl {
namespace units {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

/// A whole number and one of the units. INVALID_ARGUMENT for anything else and for more than `most`.
inline Result<std::uint64_t> parse(std::string_view text, std::span<const Unit> known, std::uint64_t most,
                                   std::string_view example) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  for (const auto& unit : known) {
    if (parsed.ec != std::errc() || unit.name != rest) continue;
    if (number <= most / unit.factor) return number * unit.factor;
    return make_error(Code::kInvalidArgument, "'{}' is too large", text.substr(0, 40));
  }
  return make_error(Code::kInvalidArgument, "'{}' is no whole number with a unit; write it as {}", text.substr(0, 40),
                    example);
}

} // namespace units

/// Bytes from a number and B, KiB, MiB, GiB or TiB, at most 1024 TiB. INVALID_ARGUMENT says how to write it.
inline Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<units::Unit, 5> kUnits{
      {{"B", 1}, {"KiB", 1ULL << 10U}, {"MiB", 1ULL << 20U}, {"GiB", 1ULL << 30U}, {"TiB", 1ULL << 40U}}};
  return units::parse(text, kUnits, 1ULL << 50U, "512MiB (B, KiB, MiB, GiB, TiB)");
}

/// A duration from a number and ms, s, m, h or d, at most 10 years. INVALID_ARGUMENT says how to write it.
inline Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<units::Unit, 5> kUnits{
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  TCFDL_ASSIGN(const auto millis, units::parse(text, kUnits, 3650ULL * 86'400'000, "5s (ms, s, m, h, d)"));
  return std::chrono::milliseconds(static_cast<std::int64_t>(millis));
}

} // namespace tcfdl
