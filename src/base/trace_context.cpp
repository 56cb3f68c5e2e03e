#include "base/trace_context.hpp"

#include "base/encoding.hpp"

#include <algorithm>

namespace tcfdl {
namespace {

constexpr std::size_t kLength = 55; // of version 00
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLongestState = 512;
constexpr std::size_t kMostMembers = 32;
constexpr std::size_t kLongestKey = 256;

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// Lower-case digits only, as the recommendation demands.
template <std::size_t Size> bool read_hex(std::string_view text, std::array<std::uint8_t, Size>& out) noexcept {
  for (std::size_t i = 0; i < Size; ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

template <std::size_t Size> bool is_zero(const std::array<std::uint8_t, Size>& id) noexcept {
  return std::ranges::all_of(id, [](auto byte) { return byte == 0; });
}

bool is_key(std::string_view key) noexcept {
  const auto admitted = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
  };
  const bool begins = !key.empty() && ((key[0] >= 'a' && key[0] <= 'z') || (key[0] >= '0' && key[0] <= '9'));
  return begins && key.size() <= kLongestKey && std::ranges::all_of(key, admitted);
}

bool is_value(std::string_view value) noexcept {
  const auto admitted = [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; };
  return !value.empty() && value.size() <= kLongestKey && value.back() != ' ' && std::ranges::all_of(value, admitted);
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

} // namespace

std::optional<TraceContext> TraceContext::parse(std::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-') return {};
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!read_hex(text, version) || version[0] == 0xff) return {};
  if (version[0] == 0 ? text.size() != kLength : text.size() > kLength && text[kLength] != '-') return {};
  if (!read_hex(text.substr(kTraceAt), context.trace_id) || is_zero(context.trace_id)) return {};
  if (!read_hex(text.substr(kSpanAt), context.span_id) || is_zero(context.span_id)) return {};
  if (!read_hex(text.substr(kFlagsAt), flags)) return {};
  context.sampled = (flags[0] & 1U) != 0;
  return context;
}

std::string TraceContext::traceparent() const {
  return "00-" + trace_text() + "-" + to_hex(span_id) + (sampled ? "-01" : "-00");
}

std::string TraceContext::trace_text() const { return to_hex(trace_id); }

bool is_tracestate(std::string_view text) noexcept {
  if (text.empty() || text.size() > kLongestState) return false;
  std::size_t members = 0;
  while (true) {
    const auto end = text.find(',');
    const auto member = trimmed(text.substr(0, end));
    const auto equals = member.find('=');
    if (!member.empty()) { // members may be missing between two commas
      if (equals == std::string_view::npos || ++members > kMostMembers) return false;
      if (!is_key(member.substr(0, equals)) || !is_value(member.substr(equals + 1))) return false;
    }
    if (end == std::string_view::npos) return members > 0;
    text.remove_prefix(end + 1);
  }
}

} // namespace tcfdl
