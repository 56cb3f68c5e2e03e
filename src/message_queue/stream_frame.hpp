// The messages that make up a stream over the bus: docs/formats/nats_stream.md.
#pragma once

#include "base/result.hpp"

#include <array>
#include <tcfdl/bytes.hpp>

namespace tcfdl::message_queue {

constexpr std::size_t kStreamHeaderSize = 24;
constexpr std::size_t kLargestSegment = std::size_t{256} * 1024;
constexpr std::size_t kLargestStreamMessage = std::size_t{16} << 20U;
/// What a segment counts in the window beside its bytes, so that empty messages are bounded too.
constexpr std::size_t kSegmentOverhead = 64;
constexpr std::uint32_t kSmallestWindow = std::uint32_t{512} * 1024;
constexpr std::uint32_t kLargestWindow = std::uint32_t{64} << 20U;
constexpr std::size_t kStreamIdSize = 16;

enum class FrameKind : std::uint8_t {
  /// A segment of a message.
  kData = 1,
  /// Nothing but its header: acknowledges and shows life.
  kStatus = 2,
  /// No message follows in this direction.
  kFinish = 3,
  /// The sender gave the stream up.
  kAbort = 4,
};

struct FrameHeader {
  FrameKind kind = FrameKind::kStatus;
  bool first = false;
  bool last = false;
  /// The whole message's bytes, in a first segment; else 0.
  std::uint32_t total = 0;
  /// Data and finish frames are numbered from 0 in each direction; other frames carry the number that comes next.
  std::uint64_t sequence = 0;
  /// All that the sender of this frame has consumed of the other direction so far, overhead included.
  std::uint64_t consumed = 0;
};

void write_frame_header(const FrameHeader& header, std::span<std::uint8_t, kStreamHeaderSize> out);

/// INVALID_ARGUMENT for whatever the format does not allow.
Result<FrameHeader> parse_frame_header(BytesView frame);

/// The first request of a stream, from the side that opens it.
struct StreamOpening {
  std::array<std::uint8_t, kStreamIdSize> id{};
  /// How much the other side may have sent without its being consumed here.
  std::uint32_t window = 0;
  /// Who opens, as its subjects say.
  std::string_view opener;
  BytesView hello;
};

/// INVALID_ARGUMENT unless the name has 1 to 128 of `[A-Za-z0-9_-]`.
Status check_opener(std::string_view name);

/// The opener's name was checked.
Bytes write_opening(const StreamOpening& opening);
/// `opener` and `hello` view into the argument.
Result<StreamOpening> parse_opening(BytesView bytes);

/// The answer to an opening: the accepting side's window.
Bytes write_acceptance(std::uint32_t window);
Result<std::uint32_t> parse_acceptance(BytesView bytes);

} // namespace tcfdl::message_queue
