#include "wire/hop_records.hpp"

#include "crypto/random.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::wire {
namespace {

using testing::HasSubstr;
using Frame = std::pair<FrameKind, Bytes>;

class HopRecords : public testing::Test {
protected:
  [[nodiscard]] HopSecret secret() const { return HopSecret::copy_of(secret_.span()); }
  [[nodiscard]] HopSealer sealer(HopLimits limits = {}) const { return {HopDirection::kRequest, secret(), limits}; }
  [[nodiscard]] HopOpener opener() const { return {HopDirection::kRequest, secret()}; }
  static Frame seal(HopSealer& sealer, FrameKind kind, const HopTask& task, std::string_view text) {
    Frame frame{kind, {}};
    const auto sealed = sealer.seal(kind, task, as_bytes(text), frame.second);
    EXPECT_TRUE(sealed);
    return frame;
  }
  static Result<std::string> open(HopOpener& opener, const Frame& frame) {
    Bytes content;
    TCFDL_TRY(opener.open(frame.first, frame.second, content));
    return std::string(as_text(content));
  }

  HopSecret secret_ = crypto::random_secret<32>();
  HopTask task_ = hop_task("018f0000-0000-7000-8000-0000000000aa").value();
  HopTask other_ = hop_task("018f0000-0000-7000-8000-0000000000bb").value();
};

TEST_F(HopRecords, OpenInOrderWithTheirTask) {
  auto from = sealer();
  auto to = opener();
  for (const auto* text : {"one", "", "three"}) {
    const auto frame = seal(from, FrameKind::kSegment, task_, text);
    EXPECT_THAT(std::string(as_text(frame.second)), testing::Not(HasSubstr("three")));
    Bytes content;
    EXPECT_EQ(to.open(frame.first, frame.second, content).value(), task_);
    EXPECT_EQ(as_text(content), text);
  }
  EXPECT_EQ(from.count(), 3U);
  EXPECT_EQ(to.count(), 3U);
}

TEST_F(HopRecords, RefuseAChangedBitAnywhere) {
  auto from = sealer();
  const auto frame = seal(from, FrameKind::kSegment, task_, "body");
  for (std::size_t i = 0; i < frame.second.size(); ++i) {
    auto changed = frame;
    changed.second[i] ^= 1U;
    auto to = opener();
    EXPECT_EQ(open(to, changed).error().code(), Code::kUnauthenticated) << "byte " << i;
    EXPECT_EQ(open(to, frame).error().code(), Code::kFailedPrecondition) << "the hop is over";
  }
}

TEST_F(HopRecords, RefuseReplayReorderAndOmission) {
  auto from = sealer();
  const auto first = seal(from, FrameKind::kSegment, task_, "one");
  const auto second = seal(from, FrameKind::kSegment, task_, "two");
  auto replayed = opener();
  EXPECT_TRUE(open(replayed, first));
  EXPECT_EQ(open(replayed, first).error().code(), Code::kUnauthenticated);
  auto reordered = opener();
  EXPECT_EQ(open(reordered, second).error().code(), Code::kUnauthenticated);
}

TEST_F(HopRecords, RefuseAnotherKind) {
  // So the end of a body can neither be taken away nor put where it is not.
  auto from = sealer();
  for (const auto& [sealed, shown] : {std::pair{FrameKind::kSegment, FrameKind::kLastSegment},
                                      {FrameKind::kLastSegment, FrameKind::kSegment},
                                      {FrameKind::kSegment, FrameKind::kMessage}}) {
    auto again = sealer();
    auto frame = seal(again, sealed, task_, "x");
    frame.first = shown;
    auto to = opener();
    EXPECT_EQ(open(to, frame).error().code(), Code::kUnauthenticated);
  }
}

TEST_F(HopRecords, RefuseARecordUnderTheNameOfAnotherTask) {
  auto from = sealer();
  auto frame = seal(from, FrameKind::kSegment, task_, "x");
  std::ranges::copy(other_, frame.second.begin() + 4);
  auto to = opener();
  EXPECT_EQ(open(to, frame).error().code(), Code::kUnauthenticated);
}

TEST_F(HopRecords, RefuseTheOtherDirectionAndTheOtherSecret) {
  HopSealer results(HopDirection::kResult, secret());
  auto to = opener();
  EXPECT_EQ(open(to, seal(results, FrameKind::kSegment, task_, "x")).error().code(), Code::kUnauthenticated);
  HopSealer strange(HopDirection::kRequest, crypto::random_secret<32>());
  auto again = opener();
  EXPECT_EQ(open(again, seal(strange, FrameKind::kSegment, task_, "x")).error().code(), Code::kUnauthenticated);
}

TEST_F(HopRecords, TakeAnotherKeyAfterSoManyRecords) {
  auto from = sealer({.records = 3, .age = std::chrono::hours(1)});
  auto to = opener();
  for (int i = 0; i < 10; ++i) {
    const auto frame = seal(from, FrameKind::kSegment, task_, "same");
    EXPECT_EQ(frame.second[3], i / 3) << "the key's number";
    EXPECT_EQ(open(to, frame).value_or(""), "same");
  }
  EXPECT_EQ(from.key_number(), 3U);
}

TEST_F(HopRecords, TakeAnotherKeyWhenItIsOld) {
  auto from = sealer({.records = 1000, .age = std::chrono::seconds(0)});
  auto to = opener();
  for (unsigned i = 0; i < 3; ++i) {
    EXPECT_TRUE(open(to, seal(from, FrameKind::kSegment, task_, "x")));
    EXPECT_EQ(from.key_number(), i) << "at once, with an age of nothing";
  }
}

TEST_F(HopRecords, RefuseALostEndOfAKeysRecords) {
  auto from = sealer({.records = 2, .age = std::chrono::hours(1)});
  auto to = opener();
  EXPECT_TRUE(open(to, seal(from, FrameKind::kSegment, task_, "1")));
  (void)seal(from, FrameKind::kSegment, task_, "2");
  const auto with_next_key = seal(from, FrameKind::kSegment, task_, "3");
  EXPECT_EQ(open(to, with_next_key).error().code(), Code::kUnauthenticated);
}

TEST_F(HopRecords, HaveKeysThatDiffer) {
  HopKeySchedule first(HopDirection::kRequest, secret());
  auto second = first.next();
  EXPECT_NE(first.nonce(7), first.nonce(8));
  EXPECT_NE(first.nonce(7), second.nonce(7));
}

TEST_F(HopRecords, RefuseWhatIsTooLongOrTooShort) {
  auto from = sealer();
  Bytes record;
  EXPECT_EQ(from.seal(FrameKind::kSegment, task_, Bytes(kLargestHopRecord + 1), record).error().code(),
            Code::kInvalidArgument);
  auto to = opener();
  EXPECT_EQ(open(to, {FrameKind::kSegment, Bytes(kHopRecordOverhead - 1)}).error().code(), Code::kUnauthenticated);
}

TEST_F(HopRecords, NameTasksByTheirUuid) {
  EXPECT_EQ(task_.front(), 0x01);
  EXPECT_EQ(task_.back(), 0xAA);
  EXPECT_FALSE(hop_task("018F0000-0000-7000-8000-0000000000AA"));
  EXPECT_FALSE(hop_task(""));
}

TEST_F(HopRecords, KeepTheOrderOfTasks) {
  HopTaskOrder order;
  EXPECT_FALSE(order.check(FrameKind::kSegment, task_)) << "no task has begun";
  EXPECT_TRUE(order.check(FrameKind::kMessage, HopTask{})) << "the route belongs to none";
  EXPECT_FALSE(order.check(FrameKind::kSegment, HopTask{}));
  EXPECT_TRUE(order.check(FrameKind::kMessage, task_));
  EXPECT_TRUE(order.check(FrameKind::kSegment, task_));
  EXPECT_FALSE(order.check(FrameKind::kSegment, other_)) << "of another task";
  EXPECT_FALSE(order.check(FrameKind::kMessage, other_)) << "within a body";
  EXPECT_TRUE(order.check(FrameKind::kLastSegment, task_));
  EXPECT_FALSE(order.check(FrameKind::kSegment, task_)) << "after the end";
  EXPECT_TRUE(order.check(FrameKind::kMessage, other_));
  EXPECT_EQ(order.current(), other_);
}

} // namespace
} // namespace tcfdl::wire
