#include "crypto/sealing.hpp"

#include "crypto/random.hpp"
#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

using Segments = std::vector<Bytes>;

class Sealing : public testing::Test {
protected:
  SecretArray<kAeadKeySize> key_ = random_secret<kAeadKeySize>();
  Salt salt_ = random_array<kSaltSize>();
  Bytes header_ = to_bytes("sealed header");

  SegmentSealer sealer() const { return {key_.span(), salt_, "body", header_}; }
  SegmentOpener opener() const { return {key_.span(), salt_, "body", header_}; }

  Segments seal(const Bytes& body, SegmentSealer sealer) const {
    Segments segments;
    for (std::uint64_t i = 0; i < segment_count(body.size()); ++i) {
      const auto rest = BytesView(body).subspan(i * kSegmentSize);
      const auto part = rest.first(std::min(rest.size(), kSegmentSize));
      Bytes out(part.size() + kAeadTagSize);
      EXPECT_TRUE(sealer.seal(part, part.size() == rest.size(), out));
      segments.push_back(std::move(out));
    }
    EXPECT_TRUE(sealer.finished());
    return segments;
  }

  Result<Bytes> open(const Segments& segments, SegmentOpener opener) const {
    Bytes body;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      Bytes out(kSegmentSize);
      TCFDL_ASSIGN(const auto size, opener.open(segments[i], i + 1 == segments.size(), out));
      body.insert(body.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    }
    TCFDL_TRY(opener.finish());
    return body;
  }

  void expect_forged(const Segments& segments) const {
    const auto opened = open(segments, opener());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), Code::kUnauthenticated) << opened.error().message();
  }

  static Bytes body_of(std::size_t size) {
    Bytes body(size);
    random_bytes(body);
    return body;
  }
};

TEST_F(Sealing, RoundTripsBodiesOfEverySizeAroundASegment) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kSegmentSize - 1, kSegmentSize, kSegmentSize + 1, 3 * kSegmentSize + 100}) {
    const auto body = body_of(size);
    const auto segments = seal(body, sealer());
    std::size_t total = 0;
    for (const auto& segment : segments) total += segment.size();
    EXPECT_EQ(total, sealed_size(size));
    const auto opened = open(segments, opener());
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(*opened, body);
  }
}

TEST_F(Sealing, WorksInPlace) {
  const auto body = body_of(kSegmentSize);
  Bytes buffer = body;
  buffer.resize(kSealedSegmentSize);
  ASSERT_EQ(sealer().seal(std::span(buffer).first(kSegmentSize), true, buffer).value(), kSealedSegmentSize);
  ASSERT_EQ(opener().open(buffer, true, buffer).value(), kSegmentSize);
  buffer.resize(kSegmentSize);
  EXPECT_EQ(buffer, body);
}

TEST_F(Sealing, RefusesFlippedBitsAndWipesTheOutput) {
  auto segments = seal(body_of(100), sealer());
  for (const std::size_t at : {std::size_t{0}, std::size_t{99}, std::size_t{100}, std::size_t{115}}) {
    auto forged = segments;
    forged[0][at] ^= 0x80;
    expect_forged(forged);
  }
  segments[0][0] ^= 1;
  Bytes out(100, 0xEE);
  EXPECT_FALSE(opener().open(segments[0], true, out));
  EXPECT_EQ(out, repeated(100, 0));
}

TEST_F(Sealing, CutsABodyWhereItsSenderDoesNotWaitForMore) {
  Segments segments;
  auto sender = sealer();
  for (const std::string_view piece : {"one", "two", ""}) {
    segments.emplace_back(piece.size() + kAeadTagSize);
    ASSERT_TRUE(sender.seal(as_bytes(piece), piece.empty(), segments.back()));
  }
  EXPECT_EQ(open(segments, opener()).value_or(Bytes()), to_bytes("onetwo"));
  expect_forged({segments[0], segments[1]});
}

TEST_F(Sealing, RefusesSegmentsOutOfOrderRepeatedOrLeftOut) {
  const auto segments = seal(body_of(4 * kSegmentSize), sealer());
  expect_forged({segments[1], segments[0], segments[2], segments[3]});
  expect_forged({segments[0], segments[0], segments[1], segments[3]});
  expect_forged({segments[0], segments[2], segments[3]});
}

TEST_F(Sealing, RefusesATruncatedStream) {
  const auto segments = seal(body_of(2 * kSegmentSize), sealer());
  expect_forged({segments[0]}); // said to be the last
  auto receiver = opener();
  Bytes out(kSegmentSize);
  ASSERT_TRUE(receiver.open(segments[0], false, out));
  EXPECT_FALSE(receiver.finished());
  const auto status = receiver.finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kUnauthenticated);
  auto cut = seal(body_of(100), sealer());
  cut[0].pop_back();
  expect_forged(cut);
}

TEST_F(Sealing, RefusesALastSegmentThatIsSaidNotToBe) {
  const auto segments = seal(body_of(kSegmentSize), sealer());
  Bytes out(kSegmentSize);
  const auto opened = opener().open(segments[0], false, out);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kUnauthenticated);
}

TEST_F(Sealing, RefusesSegmentsOfAnotherStream) {
  const auto body = body_of(2 * kSegmentSize);
  const auto ours = seal(body, sealer());
  const auto other_salt = seal(body, {key_.span(), random_array<kSaltSize>(), "body", header_});
  expect_forged({ours[0], other_salt[1]});
  expect_forged(other_salt);
  expect_forged(seal(body, {key_.span(), salt_, "result", header_}));
  expect_forged(seal(body, {key_.span(), salt_, "body", as_bytes("another header")}));
  expect_forged(seal(body, {random_secret<kAeadKeySize>().span(), salt_, "body", header_}));
}

TEST_F(Sealing, StaysFailedAfterAForgedSegment) {
  const auto segments = seal(body_of(2 * kSegmentSize), sealer());
  auto forged = segments[0];
  forged[0] ^= 1;
  auto receiver = opener();
  Bytes out(kSegmentSize);
  EXPECT_FALSE(receiver.open(forged, false, out));
  const auto next = receiver.open(segments[1], true, out);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), Code::kFailedPrecondition);
  EXPECT_FALSE(receiver.finished());
  EXPECT_FALSE(receiver.finish());
}

TEST_F(Sealing, RefusesMoreAfterTheLastSegment) {
  auto sender = sealer();
  auto receiver = opener();
  Bytes out(20);
  Bytes plain(4);
  ASSERT_TRUE(sender.seal(as_bytes("body"), true, out));
  ASSERT_TRUE(receiver.open(out, true, plain));
  EXPECT_EQ(sender.seal(as_bytes("more"), true, out).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(receiver.open(out, true, plain).error().code(), Code::kFailedPrecondition);
}

TEST_F(Sealing, RefusesSizesThatNoSegmentHasAndStaysUsable) {
  auto sender = sealer();
  Bytes out(kSealedSegmentSize + 1);
  EXPECT_EQ(sender.seal({}, false, out).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(sender.seal(repeated(kSegmentSize + 1, 0), true, out).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(sender.seal(repeated(5, 0), true, std::span(out).first(20)).error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(sender.seal(repeated(5, 0), true, out));
  auto receiver = opener();
  EXPECT_EQ(receiver.open(repeated(15, 0), true, out).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(receiver.open(repeated(16, 0), false, out).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(receiver.open(repeated(kSealedSegmentSize + 1, 0), true, out).error().code(), Code::kInvalidArgument);
  Bytes small(4);
  EXPECT_EQ(receiver.open(BytesView(out).first(21), true, small).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(receiver.open(BytesView(out).first(21), true, out).value(), 5U);
}

TEST(NonceSequence, PutsPrefixNumberAndFlagInTheNonce) {
  NonceSequence nonces(std::array<std::uint8_t, 7>{1, 2, 3, 4, 5, 6, 7}, 0x01020304);
  EXPECT_EQ(to_hex(nonces.next(false).value()), "010203040506070102030400");
  EXPECT_EQ(to_hex(nonces.next(true).value()), "010203040506070102030501");
  EXPECT_EQ(nonces.next(true).error().code(), Code::kFailedPrecondition);
}

TEST(NonceSequence, RefusesToWrapAround) {
  NonceSequence nonces(std::array<std::uint8_t, 7>{}, 0xFFFFFFFF);
  EXPECT_EQ(to_hex(nonces.next(false).value()), "00000000000000ffffffff00");
  EXPECT_EQ(nonces.next(false).error().code(), Code::kOutOfRange);
  EXPECT_EQ(nonces.next(true).error().code(), Code::kOutOfRange);
}

TEST(StreamKeys, FollowTheFormula) {
  const auto key = random_array<kAeadKeySize>();
  const auto salt = random_array<kSaltSize>();
  auto info = to_bytes("tcfdl/1/body");
  const auto hash = sha256(as_bytes("header"));
  info.insert(info.end(), hash.begin(), hash.end());
  const auto expected = hkdf_sha256(key, salt, info, 23);
  const auto keys = derive_stream_keys(key, salt, "body", as_bytes("header"));
  EXPECT_TRUE(equal_constant_time(keys.key.span(), expected.span().first(16)));
  EXPECT_TRUE(equal_constant_time(keys.prefix, expected.span().last(7)));
}

} // namespace
} // namespace tcfdl::crypto
