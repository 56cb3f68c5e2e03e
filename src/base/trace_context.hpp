// W3C Trace Context: which trace a call belongs to, and which span it is part of. docs/tracing.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tcfdl {

/// What the field `traceparent` says, without its version.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{}; ///< of the parent of what is done next
  bool sampled = false;                  ///< whoever began the trace wants its spans

  /// Nothing for a text that is no traceparent: such a field is to be ignored. Versions above 00 are read as far as 00
  /// goes, as the recommendation has it.
  static std::optional<TraceContext> parse(std::string_view traceparent);

  /// The field, of version 00.
  [[nodiscard]] std::string traceparent() const;
  [[nodiscard]] std::string trace_text() const; ///< trace id, hexadecimal

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// Whether a text may be passed on as `tracestate`: at most 512 characters and 32 members of the recommended form.
bool is_tracestate(std::string_view text) noexcept;

} // namespace tcfdl
