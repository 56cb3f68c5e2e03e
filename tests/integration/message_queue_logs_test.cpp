// Logs at a real server: order, redelivery, a server that is killed, a store that is damaged.
#include "message_queue_fixture.hpp"

#include <future>
#include <optional>
#include <set>

namespace tcfdl::message_queue {
namespace {

class MessageLogsTest : public MessageQueueTest {
protected:
  void SetUp() override {
    MessageQueueTest::SetUp();
    ASSERT_TRUE(alice_->create_log("numbers"));
  }
  void append(std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) {
      const auto appended = alice_->append_to_log("numbers", number - 1, to_bytes(std::to_string(number)));
      ASSERT_TRUE(appended) << appended.error().to_string();
    }
  }
  std::unique_ptr<LogReader> reader(const std::string& name = "reader", ReaderSettings settings = {}) {
    auto opened = alice_->open_reader("numbers", name, settings);
    EXPECT_TRUE(opened) << opened.error().to_string();
    return opened ? std::move(*opened) : nullptr;
  }
  /// The next messages, one at least.
  static LogReader::Messages fetch(LogReader& reader, std::size_t most = 10) {
    const auto deadline = soon();
    while (!deadline.expired()) {
      auto fetched = reader.fetch(most, 900U << 10U, milliseconds(200));
      if (fetched && !fetched->empty()) return *std::move(fetched);
    }
    ADD_FAILURE() << "no message came";
    return {};
  }
  static std::vector<std::uint64_t> numbers(const LogReader::Messages& messages) {
    std::vector<std::uint64_t> all;
    for (const auto& message : messages) all.push_back(message->number());
    return all;
  }
};

TEST_F(MessageLogsTest, KeepsOrderAndTakesNoOtherNumber) {
  append(1, 3);
  EXPECT_EQ(alice_->append_to_log("numbers", 5, to_bytes("x")).error().code(), Code::kDataLoss);
  EXPECT_TRUE(alice_->append_to_log("numbers", 1, to_bytes("2"))) << "the repeat of one whose answer was lost";
  const auto state = alice_->log_state("numbers").value();
  EXPECT_EQ(state.first, 1U);
  EXPECT_EQ(state.last, 3U);
  EXPECT_EQ(state.count, 3U);
  const auto from = reader();
  const auto messages = fetch(*from);
  ASSERT_EQ(numbers(messages), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(as_text(messages[1]->data()), "2");
}

TEST_F(MessageLogsTest, DeliversAgainWhatIsNotSettled) {
  append(1, 2);
  const auto from = reader("reader", {.start = 1, .time = milliseconds(1000)});
  {
    const auto messages = fetch(*from);
    ASSERT_EQ(messages.size(), 2U);
    messages[0]->settle();
  }
  EXPECT_EQ(numbers(fetch(*from)), std::vector<std::uint64_t>{2});
}

TEST_F(MessageLogsTest, DeliversAtOnceWhatIsPutBack) {
  append(1, 1);
  const auto from = reader();
  fetch(*from)[0]->put_back(milliseconds(1));
  EXPECT_EQ(numbers(fetch(*from)), std::vector<std::uint64_t>{1});
}

TEST_F(MessageLogsTest, ReadersBeginWhereTheyAreToldAndGoOnWhereTheyWere) {
  append(1, 4);
  {
    const auto from = reader("reader", {.start = 3, .time = seconds(60)});
    const auto first = fetch(*from, 1);
    EXPECT_EQ(numbers(first), std::vector<std::uint64_t>{3});
    first[0]->settle();
  }
  const auto again = reader();
  EXPECT_EQ(numbers(fetch(*again)), std::vector<std::uint64_t>{4});
}

TEST_F(MessageLogsTest, ManyLargeMessagesComeInPortions) {
  const Bytes large(300'000, 7);
  for (std::uint64_t after = 0; after < 6; ++after) ASSERT_TRUE(alice_->append_to_log("numbers", after, large));
  const auto from = reader();
  std::size_t total = 0;
  while (total < 6) {
    const auto some = fetch(*from);
    ASSERT_FALSE(some.empty());
    EXPECT_LE(some.size(), 3U);
    total += some.size();
    for (const auto& message : some) message->settle();
  }
}

TEST_F(MessageLogsTest, TrimsAndRemoves) {
  append(1, 5);
  ASSERT_TRUE(alice_->trim_log("numbers", 4));
  EXPECT_EQ(alice_->log_state("numbers")->first, 4U);
  EXPECT_EQ(alice_->log_state("numbers")->count, 2U);
  ASSERT_TRUE(alice_->remove_log("numbers"));
  EXPECT_TRUE(alice_->remove_log("numbers"));
  EXPECT_EQ(alice_->log_state("numbers").error().code(), Code::kNotFound);
  EXPECT_EQ(alice_->open_reader("numbers", "reader", {}).error().code(), Code::kNotFound);
}

/// A request that comes after the removal is one that nobody answers: the fetch is tried until one was waiting.
TEST_F(MessageLogsTest, AReaderThatIsRemovedDuringAFetchIsSaidToBeLost) {
  const auto deadline = soon();
  for (std::optional<Code> code; code != Code::kNotFound;) {
    ASSERT_FALSE(deadline.expired());
    const auto from = reader();
    auto waiting = std::async(std::launch::async, [&] { return from->fetch(1, 1024, seconds(1)); });
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(alice_->log_state("numbers"));
    ASSERT_TRUE(alice_->remove_reader("numbers", "reader"));
    const auto fetched = waiting.get();
    if (fetched) continue;
    code = fetched.error().code();
    ASSERT_EQ(code, Code::kNotFound) << fetched.error().to_string();
  }
}

TEST_F(MessageLogsTest, AServerThatIsKilledLosesNeitherMessagesNorReaders) {
  append(1, 3);
  const auto from = reader("reader", {.start = 1, .time = milliseconds(2000)});
  const auto before = fetch(*from, 1);
  before[0]->settle();
  kill_server();
  ASSERT_TRUE(eventually([&] { return alice_->log_state("numbers").has_value(); }));
  append(4, 4);
  std::set<std::uint64_t> seen;
  while (seen.size() < 3) {
    const auto some = fetch(*from);
    if (some.empty()) break;
    for (const auto& message : some) {
      if (message->number() > 1) seen.insert(message->number());
      message->settle();
    }
  }
  EXPECT_EQ(seen, (std::set<std::uint64_t>{2, 3, 4}));
}

/// A server that takes its port only while no file `poison` is in its store.
class DamagedStore : public MessageQueueTest {
protected:
  void SetUp() override {}
  std::unique_ptr<EmbeddedServer> server_with(bool store_is_copy) {
    const auto script = directory_.path() / "nats-server";
    const auto store = directory_.path() / "nats" / "jetstream";
    EXPECT_TRUE(write_file(script, as_bytes(fmt::format("#!/bin/sh\ntest ! -e {}/poison || exit 1\nexec nats-server "
                                                        "\"$@\"\n",
                                                        store.string()))));
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    std::filesystem::create_directories(store);
    EXPECT_TRUE(write_file(store / "poison", {}));
    ServerSettings settings;
    settings.binary = script.string();
    settings.state_directory = directory_.path() / "nats";
    settings.port = port_.number();
    settings.trust = trust_.trust().value();
    settings.store_is_copy = store_is_copy;
    return std::make_unique<EmbeddedServer>(settings);
  }
};

TEST_F(DamagedStore, IsSetAsideWhereItIsACopy) {
  const auto server = server_with(true);
  const auto started = server->start();
  ASSERT_TRUE(started) << started.error().to_string();
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "nats" / "jetstream.damaged" / "poison"));
}

TEST_F(DamagedStore, StaysWhereItIsAllThatThereIs) {
  const auto server = server_with(false);
  EXPECT_EQ(server->start().error().code(), Code::kUnavailable);
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "nats" / "jetstream" / "poison"));
}

} // namespace
} // namespace tcfdl::message_queue
