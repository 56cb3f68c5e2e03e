#include "topics/tests/fakes.hpp"

namespace tcfdl::topics {
namespace {

class JournalTest : public WithJournal {
protected:
  SubscriptionState subscribe(const TopicRecord& topic, const Start& start = {}, bool replay = false) {
    return journal_->subscribe(topic, {"reader", "s"}, start, replay).value();
  }
  SubscriptionState now(const TopicRecord& topic) { return subscribe(topic); }
};

TEST_F(JournalTest, NumbersMessagesInTheOrderOfTheirArrival) {
  put();
  EXPECT_EQ(append("a")->sequence(), 1U);
  EXPECT_EQ(append("b")->sequence(), 2U);
  open(); // another process
  EXPECT_EQ(append("c")->sequence(), 3U);
  const auto entries = journal_->read(1, 1, 1U << 20U).value();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(wire::parse<wire::JournalEntry>(entries[0])->sequence(), 2U);
}

TEST_F(JournalTest, ARepeatIsTheSameMessage) {
  put();
  EXPECT_FALSE(append("a", "body")->duplicate());
  const auto again = append("a", "body").value();
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.sequence(), 1U);
  EXPECT_EQ(append("a", "another").error().code(), Code::kAlreadyExists);
}

TEST_F(JournalTest, OneWhoGuessesAnIdDoesNotTakeItFromItsPublisher) {
  put();
  EXPECT_TRUE(append("a", "body", "thief"));
  EXPECT_FALSE(append("a", "body", "key")->duplicate());
}

TEST_F(JournalTest, KeepsAsMuchAsThePolicySays) {
  auto record = put([](auto& policy) { policy.set_most_messages(2); });
  for (const auto* id : {"a", "b", "c"}) EXPECT_TRUE(append(id));
  record = journal_->get("plates/seen").value();
  EXPECT_EQ(record.first, 2U);
  EXPECT_EQ(record.last, 3U);
  EXPECT_FALSE(append("a")->duplicate()); // what is gone is not known any more
  now_ += 3600 * 1000;
  EXPECT_EQ(journal_->prune(record).value(), 5U);
  EXPECT_EQ(journal_->get("plates/seen")->bytes, 0U);
  EXPECT_EQ(append("d")->sequence(), 5U);
}

TEST_F(JournalTest, KeepsAsManyBytesAsThePolicySays) {
  put([](auto& policy) { policy.set_most_bytes(1U << 20U); });
  const std::string large(400'000, 'x');
  for (const auto* id : {"a", "b", "c"}) EXPECT_TRUE(append(id, large));
  const auto record = journal_->get("plates/seen").value();
  EXPECT_EQ(record.first, 2U);
  EXPECT_LE(record.bytes, 1U << 20U);
}

TEST_F(JournalTest, RefusesTopicsThatWouldKeepTooMuch) {
  const auto [statement, descriptor] = topic([](auto& policy) { policy.set_most_bytes(5U << 20U); });
  EXPECT_EQ(journal_->put(statement, descriptor).error().code(), Code::kResourceExhausted);
}

TEST_F(JournalTest, TakesNoOlderVersionOfATopic) {
  const auto [old_statement, old] = topic();
  put();
  EXPECT_EQ(journal_->put(old_statement, old).error().code(), Code::kFailedPrecondition);
}

TEST_F(JournalTest, ASubscriptionBeginsWhereItIsTold) {
  const auto record = put();
  EXPECT_TRUE(append("a"));
  now_ += 1000;
  EXPECT_TRUE(append("b"));
  EXPECT_TRUE(append("c"));
  EXPECT_EQ(subscribe(record).settled, 3U);
  EXPECT_EQ(journal_->subscribe(record, {"reader", "all"}, {.sequence = 1, .stored_ms = {}}, false)->waiting, 3U);
  EXPECT_EQ(journal_->subscribe(record, {"reader", "late"}, {.sequence = {}, .stored_ms = now_.load()}, false)->settled,
            1U);
  EXPECT_EQ(journal_->subscribe(record, {"reader", "never"}, {.sequence = 99, .stored_ms = {}}, false)->settled, 3U);
}

TEST_F(JournalTest, CountsDeliveriesUntilTheyAreSettled) {
  const auto record = put();
  const auto s = subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(append("b"));
  EXPECT_EQ(journal_->begin_delivery(s.id, 1, 3)->delivery, 1U);
  EXPECT_EQ(journal_->begin_delivery(s.id, 2, 3)->delivery, 1U);
  EXPECT_EQ(journal_->begin_delivery(s.id, 1, 3)->delivery, 2U);
  EXPECT_TRUE(journal_->settle(s.id, 2));
  EXPECT_EQ(now(record).settled, 0U); // the first one is open
  EXPECT_EQ(now(record).waiting, 1U);
  EXPECT_FALSE(journal_->begin_delivery(s.id, 2, 3)->deliver);
  EXPECT_TRUE(journal_->settle(s.id, 1));
  EXPECT_EQ(now(record).settled, 2U);
  EXPECT_TRUE(journal_->settle(s.id, 1)); // a repeat
  EXPECT_EQ(journal_->settle(s.id, 3).error().code(), Code::kNotFound);
}

TEST_F(JournalTest, WhatFailsTooOftenIsADeadLetter) {
  const auto record = put();
  const auto s = subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(journal_->begin_delivery(s.id, 1, 2)->deliver);
  EXPECT_FALSE(journal_->fail(s.id, 1, 2).value());
  EXPECT_TRUE(journal_->begin_delivery(s.id, 1, 2)->deliver);
  EXPECT_TRUE(journal_->fail(s.id, 1, 2).value());
  EXPECT_EQ(now(record).settled, 1U);
  EXPECT_EQ(now(record).dead, 1U);
  const auto letters = journal_->dead_letters(record, s.id).value();
  ASSERT_EQ(letters.letters_size(), 1);
  EXPECT_EQ(letters.letters(0).id(), "a");
  EXPECT_EQ(letters.letters(0).publisher(), "camera");
  EXPECT_EQ(letters.letters(0).deliveries(), 2U);
}

TEST_F(JournalTest, WhoCrashesWithAMessageCountsAsAFailure) {
  const auto record = put();
  const auto s = subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(journal_->begin_delivery(s.id, 1, 1)->deliver);
  EXPECT_FALSE(journal_->begin_delivery(s.id, 1, 1)->deliver);
  EXPECT_EQ(now(record).dead, 1U);
}

TEST_F(JournalTest, WhatIsReplayedIsMarked) {
  const auto record = put();
  const auto s = subscribe(record);
  for (const auto* id : {"a", "b", "c"}) EXPECT_TRUE(append(id));
  for (const std::uint64_t sequence : {1U, 2U}) {
    EXPECT_TRUE(journal_->begin_delivery(s.id, sequence, 3)->deliver);
    EXPECT_TRUE(journal_->settle(s.id, sequence));
  }
  const auto moved = subscribe(record, {.sequence = 1, .stored_ms = {}}, true);
  EXPECT_NE(moved.reader, s.reader);
  EXPECT_EQ(moved.waiting, 3U);
  EXPECT_EQ(journal_->begin_delivery(s.id, 1, 3)->delivery, 2U);
  EXPECT_EQ(journal_->begin_delivery(s.id, 2, 3)->delivery, 2U);
  EXPECT_EQ(journal_->begin_delivery(s.id, 3, 3)->delivery, 1U); // was never given
}

TEST_F(JournalTest, ADeadLetterLivesAgainWhenItIsReplayed) {
  const auto record = put();
  const auto s = subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(journal_->begin_delivery(s.id, 1, 1)->deliver);
  EXPECT_TRUE(journal_->fail(s.id, 1, 1).value());
  subscribe(record, {.sequence = 1, .stored_ms = {}}, true);
  EXPECT_EQ(journal_->begin_delivery(s.id, 1, 1)->delivery, 2U);
}

TEST_F(JournalTest, WhatIsNotKeptIsNotWaitedFor) {
  const auto record = put([](auto& policy) { policy.set_most_messages(1); });
  const auto s = subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(journal_->begin_delivery(s.id, 1, 3)->deliver);
  EXPECT_TRUE(append("b"));
  EXPECT_EQ(now(record).settled, 1U);
  EXPECT_EQ(now(record).waiting, 1U);
  EXPECT_FALSE(journal_->begin_delivery(s.id, 1, 3)->deliver);
}

TEST_F(JournalTest, ARestartOfTheMachineIsSeenOnce) {
  EXPECT_TRUE(journal_->begin_boot("first").value());
  EXPECT_FALSE(journal_->begin_boot("first").value());
  open();
  EXPECT_FALSE(journal_->begin_boot("first").value());
  EXPECT_TRUE(journal_->begin_boot("second").value());
}

TEST_F(JournalTest, ADeletedTopicLeavesNothing) {
  const auto record = put();
  subscribe(record);
  EXPECT_TRUE(append("a"));
  EXPECT_TRUE(journal_->remove("plates/seen"));
  const auto again = put();
  EXPECT_NE(again.id, record.id);
  EXPECT_EQ(again.last, 0U);
  EXPECT_TRUE(journal_->subscriptions(again)->empty());
}

} // namespace
} // namespace tcfdl::topics
