#include "message_queue/stream_frame.hpp"

#include <algorithm>
#include <concepts>

namespace tcfdl::message_queue {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kFirst = 1;
constexpr std::uint8_t kLast = 2;
constexpr std::size_t kOpeningSize = 1 + kStreamIdSize + 4 + 1;
constexpr std::size_t kLongestOpener = 128;

template <std::unsigned_integral T> void put(std::uint8_t* out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
}

template <std::unsigned_integral T> T take(const std::uint8_t* in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8U | in[i]);
  return value;
}

Error malformed(std::string_view why) {
  return make_error(Code::kInvalidArgument, "malformed stream message: {}", why);
}

Status check_data(const FrameHeader& header, std::size_t body) {
  if (body > kLargestSegment) return malformed("the segment is too large");
  if (header.total > kLargestStreamMessage) return malformed("the announced message is too large");
  if (!header.first && header.total != 0) return malformed("a later segment has a total");
  if (body == 0 && !(header.first && header.last)) return malformed("an empty segment inside a message");
  return {};
}

Result<std::uint32_t> take_window(const std::uint8_t* in) {
  const auto window = take<std::uint32_t>(in);
  if (window < kSmallestWindow || window > kLargestWindow) return malformed("the window is out of bounds");
  return window;
}

} // namespace

void write_frame_header(const FrameHeader& header, std::span<std::uint8_t, kStreamHeaderSize> out) {
  out[0] = static_cast<std::uint8_t>(header.kind);
  out[1] = static_cast<std::uint8_t>((header.first ? kFirst : 0) | (header.last ? kLast : 0));
  put<std::uint16_t>(&out[2], 0);
  put(&out[4], header.total);
  put(&out[8], header.sequence);
  put(&out[16], header.consumed);
}

Result<FrameHeader> parse_frame_header(BytesView frame) {
  if (frame.size() < kStreamHeaderSize) return malformed("shorter than its header");
  if (frame[0] < 1 || frame[0] > 4) return malformed("unknown kind");
  if (frame[1] > (kFirst | kLast) || take<std::uint16_t>(&frame[2]) != 0) return malformed("unknown flags");
  FrameHeader header{static_cast<FrameKind>(frame[0]), (frame[1] & kFirst) != 0,       (frame[1] & kLast) != 0,
                     take<std::uint32_t>(&frame[4]),   take<std::uint64_t>(&frame[8]), take<std::uint64_t>(&frame[16])};
  if (header.kind == FrameKind::kData) {
    TCFDL_TRY(check_data(header, frame.size() - kStreamHeaderSize));
  } else if (frame.size() != kStreamHeaderSize || frame[1] != 0 || header.total != 0) {
    return malformed("a message without data carries some");
  }
  return header;
}

Status check_opener(std::string_view name) {
  const bool good = std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  if (good && !name.empty() && name.size() <= kLongestOpener) return {};
  return malformed("the opener's name");
}

Bytes write_opening(const StreamOpening& opening) {
  Bytes bytes(kOpeningSize + opening.opener.size() + opening.hello.size());
  bytes[0] = kVersion;
  std::ranges::copy(opening.id, &bytes[1]);
  put(&bytes[1 + kStreamIdSize], opening.window);
  bytes[kOpeningSize - 1] = static_cast<std::uint8_t>(opening.opener.size());
  const auto rest = std::ranges::copy(as_bytes(opening.opener), bytes.begin() + kOpeningSize).out;
  std::ranges::copy(opening.hello, rest);
  return bytes;
}

Result<StreamOpening> parse_opening(BytesView bytes) {
  if (bytes.size() < kOpeningSize) return malformed("the opening is too short");
  if (bytes[0] != kVersion)
    return make_error(Code::kUnimplemented, "streams of version {} are not known here", bytes[0]);
  StreamOpening opening;
  std::ranges::copy(bytes.subspan(1, kStreamIdSize), opening.id.begin());
  TCFDL_ASSIGN(opening.window, take_window(&bytes[1 + kStreamIdSize]));
  const auto rest = bytes.subspan(kOpeningSize);
  const std::size_t name = bytes[kOpeningSize - 1];
  if (name > rest.size()) return malformed("the opening is too short");
  opening.opener = as_text(rest.first(name));
  TCFDL_TRY(check_opener(opening.opener));
  opening.hello = rest.subspan(name);
  return opening;
}

Bytes write_acceptance(std::uint32_t window) {
  Bytes bytes(5);
  bytes[0] = kVersion;
  put(&bytes[1], window);
  return bytes;
}

Result<std::uint32_t> parse_acceptance(BytesView bytes) {
  if (bytes.size() != 5 || bytes[0] != kVersion) return malformed("the acceptance");
  return take_window(&bytes[1]);
}

} // namespace tcfdl::message_queue
