#include "crypto/random.hpp"
#include "wire/body.hpp"
#include "wire/tests/pipe.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::wire {
namespace {

using std::chrono::seconds;

std::optional<crypto::StreamKeys> keys_of(std::uint8_t seed, bool sealed = true) {
  if (!sealed) return std::nullopt;
  crypto::StreamKeys keys;
  keys.key = crypto::SecretArray<16>::copy_of(std::array<std::uint8_t, 16>{seed});
  return keys;
}

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

class Body : public testing::TestWithParam<bool> {};

TEST_P(Body, ArrivesWholeAtEverySizeAroundTheSegment) {
  for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 131072UL, 1000000UL}) {
    Pipe pipe;
    const auto sent = pattern(size);
    std::jthread sender(
        [&] { EXPECT_TRUE(send_body(*pipe.left, keys_of(1, GetParam()), sent, Deadline::after(seconds(20)))); });
    SegmentReader reader(*pipe.right, keys_of(1, GetParam()), Deadline::after(seconds(20)), 2'000'000);
    const auto got = reader.read_all();
    ASSERT_TRUE(got) << got.error().to_string();
    EXPECT_EQ(*got, sent);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST_P(Body, ArrivesInOneBufferAtEverySizeAroundTheSegment) {
  for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 3000000UL}) {
    Pipe pipe;
    const auto sent = pattern(size);
    std::jthread sender(
        [&] { EXPECT_TRUE(send_body(*pipe.left, keys_of(1, GetParam()), sent, Deadline::after(seconds(20)))); });
    SegmentReader reader(*pipe.right, keys_of(1, GetParam()), Deadline::after(seconds(20)), 4'000'000);
    const auto got = reader.read_body();
    ASSERT_TRUE(got) << got.error().to_string();
    EXPECT_TRUE(std::ranges::equal(got->view(), sent)) << size;
  }
}

TEST_P(Body, IsCutWhereItsWriterFlushes) {
  Pipe pipe;
  SegmentWriter writer(*pipe.left, keys_of(1, GetParam()), Deadline::after(seconds(20)));
  SegmentReader reader(*pipe.right, keys_of(1, GetParam()), Deadline::after(seconds(20)), 100);
  Bytes out(100'000);
  for (const std::string_view piece : {"one", "two"}) {
    ASSERT_TRUE(writer.flush()) << "of nothing";
    ASSERT_TRUE(writer.write(as_bytes(piece)));
    ASSERT_TRUE(writer.flush());
    const auto size = reader.read(out);
    ASSERT_TRUE(size) << size.error().to_string();
    EXPECT_EQ(as_text(BytesView(out).first(*size)), piece);
  }
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(reader.read(out).value_or(1), 0U);
}

TEST_P(Body, ArrivesInPiecesAsItWasWrittenInPieces) {
  Pipe pipe;
  const auto sent = pattern(200'000);
  std::jthread sender([&] {
    SegmentWriter writer(*pipe.left, keys_of(1, GetParam()), Deadline::after(seconds(20)));
    for (std::size_t at = 0; at < sent.size(); at += 777) {
      EXPECT_TRUE(writer.write(BytesView(sent).subspan(at, std::min<std::size_t>(777, sent.size() - at))));
    }
    EXPECT_TRUE(writer.finish());
    EXPECT_FALSE(writer.write(sent));
  });
  SegmentReader reader(*pipe.right, keys_of(1, GetParam()), Deadline::after(seconds(20)), 2'000'000);
  Bytes got;
  Bytes piece(1000);
  for (;;) {
    const auto size = reader.read(piece);
    ASSERT_TRUE(size);
    if (*size == 0) break;
    got.insert(got.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(*size));
  }
  EXPECT_EQ(got, sent);
}

TEST_P(Body, BeyondItsLimitIsRefused) {
  Pipe pipe;
  std::jthread sender(
      [&] { (void)send_body(*pipe.left, keys_of(1, GetParam()), pattern(100'000), Deadline::after(seconds(20))); });
  SegmentReader reader(*pipe.right, keys_of(1, GetParam()), Deadline::after(seconds(20)), 70'000);
  EXPECT_EQ(reader.read_all().error().code(), Code::kResourceExhausted);
  pipe.right->shutdown();
}

INSTANTIATE_TEST_SUITE_P(Protection, Body, testing::Bool(), [](const auto& p) { return p.param ? "Sealed" : "None"; });

TEST(SealedBody, RefusesTheWrongKeyAndSegmentsCutShort) {
  Pipe pipe;
  ASSERT_TRUE(send_body(*pipe.left, keys_of(1), pattern(10), Deadline::after(seconds(5))));
  SegmentReader wrong(*pipe.right, keys_of(2), Deadline::after(seconds(5)), 1000);
  EXPECT_EQ(wrong.read_all().error().code(), Code::kUnauthenticated);

  ASSERT_TRUE(pipe.left->send(FrameKind::kLastSegment, Bytes(8), Deadline::after(seconds(5))));
  SegmentReader cut(*pipe.right, keys_of(1), Deadline::after(seconds(5)), 1000);
  EXPECT_FALSE(cut.read_all());
}

TEST(SealedBody, LeavesTheConnectionInStepAfterDrain) {
  Pipe pipe;
  std::jthread sender([&] {
    EXPECT_TRUE(send_body(*pipe.left, keys_of(1), pattern(300'000), Deadline::after(seconds(20))));
    EXPECT_TRUE(pipe.left->send(FrameKind::kMessage, as_bytes("next"), Deadline::after(seconds(20))));
  });
  SegmentReader reader(*pipe.right, keys_of(1), Deadline::after(seconds(20)), 1'000'000);
  ASSERT_TRUE(reader.drain());
  Bytes next;
  EXPECT_EQ(pipe.right->receive(next, Deadline::after(seconds(20))).value(), FrameKind::kMessage);
}

} // namespace
} // namespace tcfdl::wire
