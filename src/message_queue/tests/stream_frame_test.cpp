#include "message_queue/stream_frame.hpp"

#include <gtest/gtest.h>

namespace tcfdl::message_queue {
namespace {

Bytes frame_of(const FrameHeader& header, std::size_t body = 0) {
  Bytes frame(kStreamHeaderSize + body, 7);
  write_frame_header(header, std::span<std::uint8_t, kStreamHeaderSize>(frame.data(), kStreamHeaderSize));
  return frame;
}

TEST(StreamFrame, ReadsWhatItWrote) {
  const FrameHeader header{FrameKind::kData, true, false, 300000, 0x0102030405060708U, ~std::uint64_t{0}};
  const auto read = parse_frame_header(frame_of(header, 10)).value();
  EXPECT_EQ(read.kind, FrameKind::kData);
  EXPECT_TRUE(read.first);
  EXPECT_FALSE(read.last);
  EXPECT_EQ(read.total, 300000U);
  EXPECT_EQ(read.sequence, 0x0102030405060708U);
  EXPECT_EQ(read.consumed, ~std::uint64_t{0});
}

TEST(StreamFrame, HasTheLayoutOfItsDocument) {
  const auto frame = frame_of({FrameKind::kData, true, true, 1, 2, 3}, 1);
  const Bytes expected{1, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 7};
  EXPECT_EQ(frame, expected);
}

TEST(StreamFrame, RefusesWhatTheFormatDoesNotAllow) {
  const FrameHeader data{FrameKind::kData, true, true, 5, 0, 0};
  for (std::size_t size = 0; size < kStreamHeaderSize; ++size) EXPECT_FALSE(parse_frame_header(Bytes(size, 1)));
  for (const auto kind : Bytes{0, 5, 255}) {
    auto frame = frame_of(data, 5);
    frame[0] = kind;
    EXPECT_FALSE(parse_frame_header(frame));
  }
  for (const std::size_t reserved : {1U, 2U, 3U}) {
    auto frame = frame_of(data, 5);
    frame[reserved] = 4;
    EXPECT_FALSE(parse_frame_header(frame)) << reserved;
  }
  EXPECT_FALSE(parse_frame_header(frame_of(data, kLargestSegment + 1)));
  EXPECT_FALSE(parse_frame_header(frame_of({FrameKind::kData, true, false, (16U << 20U) + 1, 0, 0}, 1)));
  EXPECT_FALSE(parse_frame_header(frame_of({FrameKind::kData, false, true, 0, 0, 0}, 0)));
  EXPECT_FALSE(parse_frame_header(frame_of({FrameKind::kData, false, true, 9, 0, 0}, 1)));
  EXPECT_FALSE(parse_frame_header(frame_of({FrameKind::kStatus, false, false, 0, 0, 0}, 1)));
  EXPECT_FALSE(parse_frame_header(frame_of({FrameKind::kFinish, true, false, 0, 0, 0})));
}

TEST(StreamFrame, OpensWithAnIdAWindowAndAHello) {
  const StreamOpening opening{
      .id = {1, 2, 3}, .window = kSmallestWindow, .opener = "west_1", .hello = as_bytes("hello")};
  const auto bytes = write_opening(opening);
  const auto read = parse_opening(bytes).value();
  EXPECT_EQ(read.id, opening.id);
  EXPECT_EQ(read.opener, "west_1");
  EXPECT_EQ(read.window, kSmallestWindow);
  EXPECT_EQ(as_text(read.hello), "hello");
  EXPECT_EQ(parse_acceptance(write_acceptance(kLargestWindow)).value(), kLargestWindow);
}

TEST(StreamFrame, RefusesWindowsOutOfBoundsAndOtherVersions) {
  for (const std::uint32_t window : {0U, kSmallestWindow - 1, kLargestWindow + 1}) {
    EXPECT_FALSE(parse_opening(write_opening({.id = {}, .window = window, .opener = "a", .hello = {}})));
    EXPECT_FALSE(parse_acceptance(write_acceptance(window)));
  }
  auto other = write_opening({.id = {}, .window = kSmallestWindow, .opener = "a", .hello = {}});
  other[0] = 3;
  EXPECT_EQ(parse_opening(other).error().code(), Code::kUnimplemented);
  EXPECT_FALSE(parse_opening(Bytes(20, 2)));
  for (const std::string_view name : {"", "a.b", "*", "a b", ">"}) {
    EXPECT_FALSE(parse_opening(write_opening({.id = {}, .window = kSmallestWindow, .opener = name, .hello = {}})))
        << name;
  }
  other[21] = 2; // longer than what follows
  other[0] = 2;
  EXPECT_EQ(parse_opening(other).error().code(), Code::kInvalidArgument);
  EXPECT_FALSE(parse_acceptance(Bytes(4, 1)));
}

} // namespace
} // namespace tcfdl::message_queue
