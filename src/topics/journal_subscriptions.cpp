// The journal's part that knows what each subscription was given and has settled.
#include "topics/journal.hpp"
#include "topics/rows.hpp"

#include <algorithm>

namespace tcfdl::topics {
namespace {

using database::Row;

/// A delivery's state. Settled ones are forgotten once all before them are.
constexpr std::int64_t kOpen = 0;
constexpr std::int64_t kSettled = 1;
constexpr std::int64_t kDead = 2;

constexpr std::int64_t kMostListed = 1000;

constexpr std::string_view kRecord =
    "SELECT id, owner, name, generation, settled FROM subscriptions WHERE topic = ?1 AND "
    "owner = ?2 AND name = ?3";
constexpr std::string_view kState =
    "SELECT s.id, s.owner, s.name, s.generation, s.settled, t.last - max(s.settled, t.last - t.messages) - (SELECT "
    "count(*) FROM deliveries d WHERE d.subscription = s.id AND d.state != 0 AND d.sequence > s.settled), (SELECT "
    "count(*) FROM deliveries d WHERE d.subscription = s.id AND d.state = 2) FROM subscriptions s JOIN topics t ON "
    "t.id = s.topic WHERE s.topic = ?1 ";

SubscriptionRecord subscription_of(const Row& row) {
  SubscriptionRecord record;
  record.id = row.integer(0);
  record.who = {row.text(1), row.text(2)};
  record.reader = fmt::format("SUBSCRIPTION_{}_{}", record.id, row.integer(3));
  record.settled = number(row, 4);
  return record;
}

SubscriptionState state_of(const Row& row) { return {subscription_of(row), number(row, 5), number(row, 6)}; }

Error no_subscription(const TopicRecord& topic, const SubscriptionId& who) {
  return make_error(Code::kNotFound, "{} has no subscription '{}' to {}", who.owner, who.name, topic.descriptor.name());
}

} // namespace

/// The last message before the position.
Result<std::uint64_t> Journal::position(const TopicRecord& topic, const Start& start) {
  if (start.sequence) return std::clamp<std::uint64_t>(*start.sequence, topic.first, topic.last + 1) - 1;
  if (!start.stored_ms) return topic.last;
  TCFDL_ASSIGN(const auto first,
               database_->query_one("SELECT sequence FROM messages WHERE topic = ? AND stored >= ? ORDER BY sequence "
                                    "LIMIT 1",
                                    {topic.id, *start.stored_ms}, [](const Row& row) { return number(row, 0); }));
  return first ? *first - 1 : topic.last;
}

Result<SubscriptionState> Journal::subscribe(const TopicRecord& topic, const SubscriptionId& who, const Start& start,
                                             bool replay) {
  const auto change = [&]() -> Status {
    const auto present = subscription(topic, who);
    if (present && !replay) return {};
    if (!present && present.error().code() != Code::kNotFound) return present.error();
    TCFDL_ASSIGN(const auto now, get(topic.descriptor.name()));
    TCFDL_ASSIGN(const auto settled, position(now, start));
    if (present) return move(*present, settled);
    TCFDL_ASSIGN(const auto count, database_->query_one("SELECT count(*) FROM subscriptions WHERE topic = ?",
                                                        {topic.id}, [](const Row& row) { return number(row, 0); }));
    if (count.value_or(0) >= settings_.most_subscriptions) {
      return make_error(Code::kResourceExhausted, "{} has {} subscriptions already; remove one first",
                        topic.descriptor.name(), *count);
    }
    TCFDL_TRY(database_->execute("INSERT INTO subscriptions (topic, owner, name, settled) VALUES (?, ?, ?, ?)",
                                 {topic.id, who.owner, who.name, value(settled)}));
    return {};
  };
  TCFDL_TRY(database_->transaction(change));
  TCFDL_ASSIGN(auto state, database_->query_one(std::string(kState) + "AND s.owner = ?2 AND s.name = ?3",
                                                {topic.id, who.owner, who.name}, state_of));
  if (state) return *std::move(state);
  return no_subscription(topic, who);
}

/// What was given before is marked when it is given again: `seen` stands for deliveries that are forgotten.
Status Journal::move(const SubscriptionRecord& subscription, std::uint64_t settled) {
  TCFDL_TRY(database_->execute("UPDATE subscriptions SET seen = max(seen, settled), settled = ?, generation = "
                               "generation + 1 WHERE id = ?",
                               {value(settled), subscription.id}));
  TCFDL_TRY(database_->execute("UPDATE deliveries SET state = 0, failed = 0, reason = '' WHERE subscription = ? AND "
                               "sequence > ?",
                               {subscription.id, value(settled)}));
  TCFDL_TRY(database_->execute("DELETE FROM deliveries WHERE subscription = ? AND sequence <= ? AND state != 2",
                               {subscription.id, value(settled)}));
  return {};
}

Result<SubscriptionRecord> Journal::subscription(const TopicRecord& topic, const SubscriptionId& who) {
  TCFDL_ASSIGN(auto record,
               database_->query_one(std::string(kRecord), {topic.id, who.owner, who.name}, subscription_of));
  if (record) return *std::move(record);
  return no_subscription(topic, who);
}

Result<std::vector<SubscriptionState>> Journal::subscriptions(const TopicRecord& topic) {
  std::vector<SubscriptionState> found;
  TCFDL_TRY(
      database_->query(std::string(kState) + "ORDER BY s.owner, s.name", {topic.id}, [&](const Row& row) -> Status {
        found.push_back(state_of(row));
        return {};
      }));
  return found;
}

Status Journal::unsubscribe(std::int64_t subscription) {
  TCFDL_TRY(database_->execute("DELETE FROM subscriptions WHERE id = ?", {subscription}));
  return {};
}

Result<Turn> Journal::begin_delivery(std::int64_t subscription, std::uint64_t sequence, std::uint32_t most_deliveries) {
  TCFDL_ASSIGN(const auto place,
               database_->query_one("SELECT settled, seen FROM subscriptions WHERE id = ?", {subscription},
                                    [](const Row& row) { return std::pair(number(row, 0), number(row, 1)); }));
  if (!place) return Error(Code::kNotFound, "the subscription was removed");
  const auto [settled, seen] = *place;
  if (sequence <= settled) return Turn{};
  TCFDL_ASSIGN(
      const auto before,
      database_->query_one("SELECT state, count, failed FROM deliveries WHERE subscription = ? AND sequence = ?",
                           {subscription, value(sequence)},
                           [](const Row& row) { return std::array{row.integer(0), row.integer(1), row.integer(2)}; }));
  const auto [state, count, failed] = before.value_or(std::array<std::int64_t, 3>{kOpen, sequence <= seen ? 1 : 0, 0});
  if (state != kOpen) return Turn{};
  if (failed >= std::int64_t{most_deliveries}) {
    TCFDL_TRY(bury(subscription, sequence, "it was not settled in time"));
    return Turn{};
  }
  // Counted as a failure until it is settled: whoever crashes with it does not tell.
  TCFDL_TRY(database_->execute("INSERT OR REPLACE INTO deliveries (subscription, sequence, state, count, failed) "
                               "VALUES (?, ?, 0, ?, ?)",
                               {subscription, value(sequence), count + 1, failed + 1}));
  return Turn{true, static_cast<std::uint32_t>(count + 1)};
}

Result<std::vector<Turn>> Journal::begin_deliveries(std::int64_t subscription,
                                                    const std::vector<std::uint64_t>& sequences,
                                                    std::uint32_t most_deliveries) {
  std::vector<Turn> turns;
  TCFDL_TRY(database_->transaction([&]() -> Status {
    for (const auto sequence : sequences) {
      TCFDL_ASSIGN(const auto turn, begin_delivery(subscription, sequence, most_deliveries));
      turns.push_back(turn);
    }
    return {};
  }));
  return turns;
}

Status Journal::settle(std::int64_t subscription, std::uint64_t sequence) {
  return database_->transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto changed,
                 database_->execute("UPDATE deliveries SET state = 1 WHERE subscription = ? AND sequence = ?",
                                    {subscription, value(sequence)}));
    if (changed > 0) return advance(subscription);
    TCFDL_ASSIGN(const auto settled,
                 database_->query_one("SELECT settled FROM subscriptions WHERE id = ?", {subscription},
                                      [](const Row& row) { return number(row, 0); }));
    if (settled && sequence <= *settled) return {}; // a repeat
    return make_error(Code::kNotFound, "message {} was not delivered to this subscription", sequence);
  });
}

Result<bool> Journal::fail(std::int64_t subscription, std::uint64_t sequence, std::uint32_t most_deliveries) {
  bool dead = false;
  TCFDL_TRY(database_->transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto failed,
                 database_->query_one("SELECT failed FROM deliveries WHERE subscription = ? AND "
                                      "sequence = ? AND state = 0",
                                      {subscription, value(sequence)}, [](const Row& row) { return row.integer(0); }));
    dead = failed && *failed >= std::int64_t{most_deliveries};
    return dead ? bury(subscription, sequence, "its handler failed") : Status();
  }));
  return dead;
}

Status Journal::give_back(std::int64_t subscription, std::uint64_t sequence) {
  TCFDL_TRY(database_->execute("UPDATE deliveries SET failed = failed - 1 WHERE subscription = ? AND sequence = ? AND "
                               "state = 0 AND failed > 0",
                               {subscription, value(sequence)}));
  return {};
}

Status Journal::bury(std::int64_t subscription, std::uint64_t sequence, const std::string& reason) {
  TCFDL_TRY(database_->execute("UPDATE deliveries SET state = 2, reason = ? WHERE subscription = ? AND sequence = ?",
                               {reason, subscription, value(sequence)}));
  return advance(subscription);
}

/// Moves `settled` over what is settled or dead without a gap.
Status Journal::advance(std::int64_t subscription) {
  TCFDL_ASSIGN(const auto before, database_->query_one("SELECT settled FROM subscriptions WHERE id = ?", {subscription},
                                                       [](const Row& row) { return number(row, 0); }));
  if (!before) return {};
  auto settled = *before;
  for (;; ++settled) {
    TCFDL_ASSIGN(const auto state,
                 database_->query_one("SELECT state FROM deliveries WHERE subscription = ? AND sequence = ?",
                                      {subscription, value(settled + 1)},
                                      [](const Row& row) { return row.integer(0); }));
    if (!state || *state == kOpen) break;
  }
  if (settled == *before) return {};
  TCFDL_TRY(database_->execute("UPDATE subscriptions SET settled = ? WHERE id = ?", {value(settled), subscription}));
  TCFDL_TRY(database_->execute("DELETE FROM deliveries WHERE subscription = ? AND sequence <= ? AND state = ?",
                               {subscription, value(settled), kSettled}));
  return {};
}

Result<wire::DeadLetters> Journal::dead_letters(const TopicRecord& topic, std::int64_t subscription) {
  wire::DeadLetters letters;
  TCFDL_TRY(
      database_->query("SELECT d.sequence, m.message, m.stored, d.count, d.reason, m.entry FROM deliveries d JOIN "
                       "messages m ON m.topic = ? AND m.sequence = d.sequence WHERE d.subscription = ? AND "
                       "d.state = ? ORDER BY d.sequence LIMIT ?",
                       {topic.id, subscription, kDead, kMostListed}, [&](const Row& row) -> Status {
                         auto& letter = *letters.add_letters();
                         letter.set_sequence(number(row, 0));
                         letter.set_id(row.text(1));
                         letter.set_stored_ms(row.integer(2));
                         letter.set_deliveries(static_cast<std::uint32_t>(row.integer(3)));
                         letter.set_reason(row.text(4));
                         TCFDL_ASSIGN(const auto entry, wire::parse<wire::JournalEntry>(row.blob(5)));
                         TCFDL_ASSIGN(const auto message, wire::parse<wire::TopicMessage>(entry.message()));
                         TCFDL_ASSIGN(const auto header, wire::parse<wire::TopicHeader>(message.header()));
                         letter.set_publisher(header.publisher());
                         return {};
                       }));
  return letters;
}

} // namespace tcfdl::topics
