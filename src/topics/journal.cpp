#include "topics/journal.hpp"

#include "topics/rows.hpp"

#include <array>

namespace tcfdl::topics {
namespace {

using database::Row;

constexpr std::string_view kFirst = R"(
CREATE TABLE boot (id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL) STRICT;
CREATE TABLE topics (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, statement BLOB NOT NULL, created INTEGER NOT NULL,
  last INTEGER NOT NULL DEFAULT 0, messages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  generation INTEGER NOT NULL DEFAULT 1, base INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE messages (
  topic INTEGER NOT NULL REFERENCES topics (id) ON DELETE CASCADE, sequence INTEGER NOT NULL, publisher BLOB NOT NULL,
  message TEXT NOT NULL, tag BLOB NOT NULL, stored INTEGER NOT NULL, size INTEGER NOT NULL, entry BLOB NOT NULL,
  PRIMARY KEY (topic, sequence)) STRICT;
CREATE UNIQUE INDEX messages_by_id ON messages (topic, publisher, message);
CREATE INDEX messages_by_time ON messages (topic, stored);
CREATE TABLE subscriptions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
  owner TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 1, settled INTEGER NOT NULL,
  seen INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, owner, name)) STRICT;
CREATE TABLE deliveries (
  subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE, sequence INTEGER NOT NULL,
  state INTEGER NOT NULL, count INTEGER NOT NULL, failed INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (subscription, sequence)) STRICT, WITHOUT ROWID;
)";

/// What a message takes beside its bytes, here and in the message queue.
constexpr std::size_t kOverhead = 256;

constexpr std::array kScripts = {kFirst};

constexpr std::string_view kTopic =
    "SELECT id, statement, created, last, messages, bytes, generation, base FROM topics ";

Result<TopicRecord> record_of(const Row& row) {
  TopicRecord record;
  record.id = row.integer(0);
  TCFDL_ASSIGN(record.statement, wire::parse<wire::Signed>(row.blob(1)));
  TCFDL_ASSIGN(record.descriptor, wire::parse<wire::Descriptor>(record.statement.statement()));
  record.created_ms = row.integer(2);
  record.last = number(row, 3);
  record.first = record.last - number(row, 4) + 1;
  record.bytes = number(row, 5);
  record.log = fmt::format("TOPIC_{}_{}", record.id, row.integer(6));
  record.base = number(row, 7);
  return record;
}

} // namespace

Result<std::unique_ptr<Journal>> Journal::open(JournalSettings settings, UnixMillis now) {
  TCFDL_ASSIGN(auto database, database::Database::open(settings.file));
  TCFDL_TRY(database->migrate("topics", kScripts));
  return std::unique_ptr<Journal>(new Journal(std::move(database), std::move(settings), std::move(now)));
}

Status Journal::check_room(const wire::Descriptor& descriptor) {
  TCFDL_ASSIGN(const auto topics, list());
  std::uint64_t bytes = descriptor.topic().most_bytes();
  std::size_t count = 1;
  for (const auto& topic : topics) {
    if (topic.descriptor.name() == descriptor.name()) continue;
    bytes += topic.descriptor.topic().most_bytes();
    ++count;
  }
  if (count > settings_.most_topics) {
    return make_error(Code::kResourceExhausted, "there are {} topics already; delete one first", count - 1);
  }
  if (bytes <= settings_.most_bytes) return {};
  return make_error(Code::kResourceExhausted,
                    "all topics together may keep {} bytes, as the master's configuration says, and would keep {}; "
                    "lower the topic's bytes, or delete one",
                    settings_.most_bytes, bytes);
}

Status Journal::put(const wire::Signed& statement, const wire::Descriptor& descriptor) {
  return database_->transaction([&]() -> Status {
    TCFDL_TRY(check_room(descriptor));
    const auto present = get(descriptor.name());
    if (present) {
      TCFDL_TRY(wire::check_succession(descriptor.name(),
                                       wire::held_name(present->descriptor, as_bytes(present->statement.statement())),
                                       wire::held_name(descriptor, as_bytes(statement.statement()))));
      TCFDL_TRY(database_->execute("UPDATE topics SET statement = ? WHERE id = ?",
                                   {wire::serialize(statement), present->id}));
      return {};
    }
    if (present.error().code() != Code::kNotFound) return present.error();
    TCFDL_TRY(database_->execute("INSERT INTO topics (name, statement, created) VALUES (?, ?, ?)",
                                 {descriptor.name(), wire::serialize(statement), now_()}));
    return {};
  });
}

Result<std::vector<TopicRecord>> Journal::list() {
  std::vector<TopicRecord> topics;
  TCFDL_TRY(database_->query(std::string(kTopic) + "ORDER BY name", {}, [&](const Row& row) -> Status {
    TCFDL_ASSIGN(auto record, record_of(row));
    topics.push_back(std::move(record));
    return {};
  }));
  return topics;
}

Result<TopicRecord> Journal::get(const std::string& topic) {
  std::optional<TopicRecord> found;
  TCFDL_TRY(database_->query(std::string(kTopic) + "WHERE name = ?", {topic}, [&](const Row& row) -> Status {
    TCFDL_ASSIGN(found, record_of(row));
    return {};
  }));
  if (found) return *std::move(found);
  return make_error(Code::kNotFound, "there is no topic {}; `tcfdl topic list` shows those that are", topic);
}

Status Journal::remove(const std::string& topic) {
  TCFDL_TRY(database_->execute("DELETE FROM topics WHERE name = ?", {topic}));
  return {};
}

Result<TopicRecord> Journal::begin_log(std::int64_t topic) {
  std::optional<TopicRecord> changed;
  const auto change = [&]() -> Status {
    TCFDL_TRY(database_->execute("UPDATE topics SET generation = generation + 1, base = last - messages WHERE id = ?",
                                 {topic}));
    return database_->query(std::string(kTopic) + "WHERE id = ?", {topic}, [&](const Row& row) -> Status {
      TCFDL_ASSIGN(changed, record_of(row));
      return {};
    });
  };
  TCFDL_TRY(database_->transaction(change));
  if (changed) return *std::move(changed);
  return Error(Code::kNotFound, "the topic was deleted");
}

Result<bool> Journal::begin_boot(const std::string& boot) {
  TCFDL_ASSIGN(const auto before,
               database_->query_one("SELECT boot FROM boot", {}, [](const Row& row) { return row.text(0); }));
  TCFDL_TRY(database_->execute("INSERT OR REPLACE INTO boot (id, boot) VALUES (1, ?)", {boot}));
  return !before || *before != boot;
}

Result<std::optional<wire::PublishedMessage>> Journal::known(std::int64_t topic, const std::string& publisher_key,
                                                             const std::string& id, const std::string& tag) {
  TCFDL_ASSIGN(
      const auto found,
      database_->query_one("SELECT sequence, tag FROM messages WHERE topic = ? AND publisher = ? AND message = ?",
                           {topic, to_bytes(publisher_key), id},
                           [](const Row& row) { return std::pair(number(row, 0), row.blob(1)); }));
  if (!found) return std::optional<wire::PublishedMessage>();
  if (found->second != to_bytes(tag)) {
    return make_error(Code::kAlreadyExists, "the message {} was published with another body, as number {}", id,
                      found->first);
  }
  wire::PublishedMessage first;
  first.set_sequence(found->first);
  first.set_duplicate(true);
  return std::optional(std::move(first));
}

Status Journal::store(const TopicRecord& topic, const std::string& publisher_key, const wire::TopicHeader& header,
                      const wire::PublishMessage& published, std::uint64_t& sequence) {
  TCFDL_ASSIGN(const auto last, database_->query_one("SELECT last FROM topics WHERE id = ?", {topic.id},
                                                     [](const Row& row) { return number(row, 0); }));
  if (!last) return make_error(Code::kNotFound, "the topic {} was deleted", header.topic());
  sequence = *last + 1;
  wire::JournalEntry entry;
  entry.set_sequence(sequence);
  entry.set_stored_ms(now_());
  entry.set_message(published.message().SerializeAsString());
  const auto bytes = wire::serialize(entry);
  const auto size = value(bytes.size() + kOverhead);
  TCFDL_TRY(database_->execute("INSERT INTO messages (topic, sequence, publisher, message, tag, stored, size, entry) "
                               "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                               {topic.id, value(sequence), to_bytes(publisher_key), header.id(),
                                to_bytes(published.body_tag()), entry.stored_ms(), size, bytes}));
  TCFDL_TRY(database_->execute("UPDATE topics SET last = ?, messages = messages + 1, bytes = bytes + ? WHERE id = ?",
                               {value(sequence), size, topic.id}));
  return {};
}

Result<wire::PublishedMessage> Journal::append(const TopicRecord& topic, const std::string& publisher_key,
                                               const wire::TopicHeader& header, const wire::PublishMessage& published) {
  wire::PublishedMessage result;
  const auto change = [&]() -> Status {
    TCFDL_ASSIGN(auto before, known(topic.id, publisher_key, header.id(), published.body_tag()));
    if (before) {
      result = *std::move(before);
      return {};
    }
    std::uint64_t sequence = 0;
    TCFDL_TRY(store(topic, publisher_key, header, published, sequence));
    result.set_sequence(sequence);
    TCFDL_TRY(prune(topic));
    return {};
  };
  TCFDL_TRY(database_->transaction(change));
  return result;
}

Result<std::vector<Bytes>> Journal::read(std::int64_t topic, std::uint64_t after, std::size_t most_bytes) {
  constexpr std::int64_t kMostAtOnce = 256;
  std::vector<Bytes> entries;
  std::size_t size = 0;
  TCFDL_TRY(database_->query("SELECT entry, size FROM messages WHERE topic = ? AND sequence > ? ORDER BY sequence "
                             "LIMIT ?",
                             {topic, value(after), kMostAtOnce}, [&](const Row& row) -> Status {
                               size += number(row, 1);
                               if (entries.empty() || size <= most_bytes) entries.push_back(row.blob(0));
                               return {};
                             }));
  return entries;
}

/// The oldest messages go, one after the other, until age, number and size are within the policy.
Result<std::uint64_t> Journal::prune(const TopicRecord& topic) {
  const auto& policy = topic.descriptor.topic();
  std::uint64_t first = 1;
  const auto change = [&]() -> Status {
    TCFDL_ASSIGN(
        const auto kept,
        database_->query_one("SELECT last, messages, bytes FROM topics WHERE id = ?", {topic.id}, [](const Row& row) {
          return std::array{number(row, 0), number(row, 1), number(row, 2)};
        }));
    if (!kept) return make_error(Code::kNotFound, "the topic {} was deleted", topic.descriptor.name());
    auto [last, messages, bytes] = *kept;
    const auto too_old = now_() - std::int64_t{policy.retention_s()} * 1000;
    bool done = false;
    while (messages > 0 && !done) {
      const auto oldest = last - messages + 1;
      TCFDL_ASSIGN(const auto it,
                   database_->query_one("SELECT stored, size FROM messages WHERE topic = ? AND sequence = ?",
                                        {topic.id, value(oldest)},
                                        [](const Row& row) { return std::pair(row.integer(0), number(row, 1)); }));
      if (!it) return make_error(Code::kDataLoss, "message {} of {} is missing", oldest, topic.descriptor.name());
      done = messages <= policy.most_messages() && bytes <= policy.most_bytes() && it->first > too_old;
      if (done) break;
      --messages;
      bytes -= it->second;
      TCFDL_TRY(drop(topic.id, oldest));
    }
    first = last - messages + 1;
    if (messages == (*kept)[1]) return {};
    TCFDL_TRY(database_->execute("UPDATE topics SET messages = ?, bytes = ? WHERE id = ?",
                                 {value(messages), value(bytes), topic.id}));
    return {};
  };
  TCFDL_TRY(database_->transaction(change));
  return first;
}

Status Journal::drop(std::int64_t topic, std::uint64_t up_to) {
  TCFDL_TRY(database_->execute("DELETE FROM messages WHERE topic = ? AND sequence <= ?", {topic, value(up_to)}));
  TCFDL_TRY(database_->execute("DELETE FROM deliveries WHERE sequence <= ?2 AND subscription IN (SELECT id FROM "
                               "subscriptions WHERE topic = ?1)",
                               {topic, value(up_to)}));
  TCFDL_TRY(database_->execute("UPDATE subscriptions SET settled = ?2 WHERE topic = ?1 AND settled < ?2",
                               {topic, value(up_to)}));
  return {};
}

} // namespace tcfdl::topics
