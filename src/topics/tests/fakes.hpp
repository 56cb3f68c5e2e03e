// A message queue in memory, and topics for tests.
#pragma once

#include "base/guarded.hpp"
#include "topics/topics.hpp"

#include <atomic>
#include <deque>
#include <gtest/gtest.h>

namespace tcfdl::topics {

/// Delivers at once. A delivery that is open comes again after `expire`, not by itself.
class FakeLogs final : public message_queue::MessageLogs {
public:
  struct ReaderState {
    std::deque<std::uint64_t> due; ///< numbers that were given and are to be given again
    std::uint64_t next = 1;
    std::set<std::uint64_t> open;
  };
  struct Log {
    std::map<std::uint64_t, Bytes> messages;
    std::uint64_t last = 0;
    std::map<std::string, std::shared_ptr<ReaderState>> readers;
  };
  using Logs = std::map<std::string, Log>;

  /// As if the server was not there.
  void set_away(bool away) { away_ = away; }
  void change(const std::function<void(Logs&)>& what) {
    logs_.with([&](Logs& logs) { what(logs); });
  }
  /// The time of all open deliveries has passed.
  void expire() {
    change([](Logs& logs) {
      for (auto& [name, log] : logs) {
        for (auto& [reader, state] : log.readers) {
          for (const auto number : std::exchange(state->open, {})) state->due.push_back(number);
        }
      }
    });
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    change([&](Logs& logs) {
      for (const auto& [name, log] : logs) all.push_back(name);
    });
    return all;
  }

  Status create_log(const std::string& log) override {
    return use([&](Logs& logs) -> Status {
      logs.try_emplace(log);
      return {};
    });
  }
  Result<message_queue::LogState> log_state(const std::string& log) override {
    message_queue::LogState state;
    TCFDL_TRY(use([&](Logs& logs) -> Status {
      const auto found = logs.find(log);
      if (found == logs.end()) return Error(Code::kNotFound, "no log");
      const auto& messages = found->second.messages;
      state = {messages.empty() ? found->second.last + 1 : messages.begin()->first, found->second.last,
               messages.size()};
      return {};
    }));
    return state;
  }
  Status append_to_log(const std::string& log, std::uint64_t after, BytesView data) override {
    return use([&](Logs& logs) -> Status {
      const auto found = logs.find(log);
      if (found == logs.end()) return Error(Code::kNotFound, "no log");
      if (found->second.last != after) return Error(Code::kDataLoss, "another number is next");
      found->second.messages.emplace(++found->second.last, Bytes(data.begin(), data.end()));
      return {};
    });
  }
  Status trim_log(const std::string& log, std::uint64_t first) override {
    return use([&](Logs& logs) -> Status {
      auto& messages = logs[log].messages;
      messages.erase(messages.begin(), messages.lower_bound(first));
      return {};
    });
  }
  Status remove_log(const std::string& log) override {
    return use([&](Logs& logs) -> Status {
      logs.erase(log);
      return {};
    });
  }
  Result<std::unique_ptr<message_queue::LogReader>> open_reader(const std::string& log, const std::string& reader,
                                                                const message_queue::ReaderSettings& settings) override;
  Status remove_reader(const std::string& log, const std::string& reader) override {
    return use([&](Logs& logs) -> Status {
      logs[log].readers.erase(reader);
      return {};
    });
  }

  Status use(const std::function<Status(Logs&)>& what) {
    if (away_) return Error(Code::kUnavailable, "the message queue is away");
    return logs_.with([&](Logs& logs) { return what(logs); });
  }

  std::function<void()> on_keep; ///< while a message is kept

private:
  std::atomic<bool> away_ = false;
  Guarded<Logs> logs_;
};

class FakeMessage final : public message_queue::LogMessage {
public:
  FakeMessage(FakeLogs& logs, std::shared_ptr<FakeLogs::ReaderState> reader, std::uint64_t number, Bytes data)
      : logs_(logs), reader_(std::move(reader)), number_(number), data_(std::move(data)) {}
  [[nodiscard]] std::uint64_t number() const override { return number_; }
  [[nodiscard]] BytesView data() const override { return data_; }
  void settle() override {
    logs_.change([&](auto&) { reader_->open.erase(number_); });
  }
  void put_back(std::chrono::milliseconds) override {
    logs_.change([&](auto&) {
      if (reader_->open.erase(number_) > 0) reader_->due.push_back(number_);
    });
  }
  void keep() override {
    if (logs_.on_keep) logs_.on_keep();
  }

private:
  FakeLogs& logs_;
  const std::shared_ptr<FakeLogs::ReaderState> reader_;
  const std::uint64_t number_;
  const Bytes data_;
};

class FakeReader final : public message_queue::LogReader {
public:
  FakeReader(FakeLogs& logs, std::string log, std::shared_ptr<FakeLogs::ReaderState> state)
      : logs_(logs), log_(std::move(log)), state_(std::move(state)) {}
  Result<Messages> fetch(std::size_t most, std::size_t, std::chrono::milliseconds) override {
    Messages messages;
    TCFDL_TRY(logs_.use([&](FakeLogs::Logs& logs) -> Status {
      const auto found = logs.find(log_);
      if (found == logs.end()) return Error(Code::kNotFound, "no log");
      const auto& kept = found->second.messages;
      while (messages.size() < most) {
        std::uint64_t number = 0;
        if (!state_->due.empty()) {
          number = state_->due.front();
          state_->due.pop_front();
        } else if (const auto next = kept.lower_bound(state_->next); next != kept.end()) {
          number = next->first;
          state_->next = number + 1;
        } else {
          break;
        }
        const auto message = kept.find(number);
        if (message == kept.end()) continue;
        state_->open.insert(number);
        messages.push_back(std::make_unique<FakeMessage>(logs_, state_, number, message->second));
      }
      return {};
    }));
    return messages;
  }

private:
  FakeLogs& logs_;
  const std::string log_;
  const std::shared_ptr<FakeLogs::ReaderState> state_;
};

inline Result<std::unique_ptr<message_queue::LogReader>>
FakeLogs::open_reader(const std::string& log, const std::string& reader,
                      const message_queue::ReaderSettings& settings) {
  std::shared_ptr<ReaderState> state;
  TCFDL_TRY(use([&](Logs& logs) -> Status {
    const auto found = logs.find(log);
    if (found == logs.end()) return Error(Code::kNotFound, "no log");
    auto& known = found->second.readers[reader];
    if (!known) {
      known = std::make_shared<ReaderState>();
      known->next = settings.start;
    }
    state = known;
    return {};
  }));
  return std::make_unique<FakeReader>(*this, log, std::move(state));
}

/// A journal in a directory of its own, at a time that the test sets.
class WithJournal : public testing::Test {
protected:
  WithJournal() { open(); }
  ~WithJournal() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }
  void open() {
    journal_.reset();
    std::filesystem::create_directories(directory_);
    auto opened = Journal::open({.file = directory_ / "topics.sqlite", .most_bytes = std::uint64_t{4} << 20U},
                                [this] { return now_.load(); });
    journal_ = std::move(opened).value();
  }
  std::pair<wire::Signed, wire::Descriptor> topic(const std::function<void(wire::TopicPolicy&)>& change = {}) {
    wire::Descriptor descriptor;
    descriptor.set_name("plates/seen");
    descriptor.set_version(++version_);
    descriptor.set_owner_key(wire::field(owner_.public_key().bytes()));
    descriptor.add_protections("none");
    descriptor.add_assurance("software");
    descriptor.add_providers("west");
    auto& policy = *descriptor.mutable_topic();
    policy.set_retention_s(3600);
    policy.set_most_messages(1000);
    policy.set_most_bytes(1U << 20U);
    policy.set_most_deliveries(3);
    policy.set_handling_ms(1000);
    if (change) change(policy);
    return {wire::sign(owner_, descriptor), descriptor};
  }
  TopicRecord put(const std::function<void(wire::TopicPolicy&)>& change = {}) {
    const auto [statement, descriptor] = topic(change);
    EXPECT_TRUE(journal_->put(statement, descriptor));
    return journal_->get("plates/seen").value();
  }
  static std::pair<wire::TopicHeader, wire::PublishMessage> message(const std::string& id,
                                                                    const std::string& body = "b") {
    wire::TopicHeader header;
    header.set_topic("plates/seen");
    header.set_id(id);
    header.set_publisher("camera");
    header.set_protection("none");
    wire::PublishMessage published;
    published.mutable_message()->set_header(header.SerializeAsString());
    published.mutable_message()->set_body(body);
    published.set_body_tag(body);
    return {header, published};
  }
  Result<wire::PublishedMessage> append(const std::string& id, const std::string& body = "b",
                                        const std::string& publisher = "key") {
    const auto [header, published] = message(id, body);
    return journal_->append(journal_->get("plates/seen").value(), publisher, header, published);
  }

  const std::filesystem::path directory_ = std::filesystem::temp_directory_path() / ("tcfdl-topics-" + make_uuid());
  std::atomic<std::int64_t> now_ = 1'800'000'000'000;
  std::uint64_t version_ = 0;
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  std::unique_ptr<Journal> journal_;
};

} // namespace tcfdl::topics
