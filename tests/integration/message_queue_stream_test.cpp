// Streams over a real nats-server. Run with `--peer PORT SEED JWT`, the program is the far end of a stream.

#include "base/guarded.hpp"
#include "message_queue/stream.hpp"
#include "message_queue_fixture.hpp"

#include <atomic>
#include <future>
#include <spawn.h>
#include <sys/wait.h>

namespace tcfdl::message_queue {
namespace {

/// A stream from alice to bob and bob's end of it.
class StreamTest : public MessageQueueTest {
protected:
  void SetUp() override {
    MessageQueueTest::SetUp();
    auto listening =
        StreamListener::listen(*bob_, "streams", [this](std::unique_ptr<NatsStream> stream, BytesView hello) {
          hello_ = as_text(hello);
          accepted_.set_value(std::move(stream));
        });
    ASSERT_TRUE(listening);
    listener_.emplace(std::move(*listening));
    auto opened = open_stream(*alice_, "streams", as_bytes("hello"), soon());
    ASSERT_TRUE(opened) << opened.error().to_string();
    near_ = std::move(*opened);
    far_ = accepted_.get_future().get();
  }
  void TearDown() override {
    near_.reset();
    far_.reset();
    listener_.reset();
  }

  static Bytes pattern(std::size_t size, std::size_t seed) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>((i * 31 + seed * 7 + i / 251) & 0xffU);
    return bytes;
  }

  std::string hello_;
  std::promise<std::unique_ptr<NatsStream>> accepted_;
  std::optional<StreamListener> listener_;
  std::unique_ptr<NatsStream> near_;
  std::unique_ptr<NatsStream> far_;
};

TEST_F(StreamTest, CarriesMessagesOfEverySizeBothWays) {
  EXPECT_EQ(hello_, "hello");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{256} * 1024, std::size_t{256} * 1024 + 1,
                                 std::size_t{4} << 20U, std::size_t{16} << 20U}) {
    const auto message = pattern(size, size);
    auto echo = std::async(std::launch::async, [&]() -> Status {
      TCFDL_ASSIGN(const auto got, far_->receive(soon()));
      return far_->send(got, soon());
    });
    ASSERT_TRUE(near_->send(message, soon()));
    const auto back = near_->receive(soon());
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_TRUE(*back == message) << size;
    EXPECT_TRUE(echo.get());
  }
  EXPECT_EQ(near_->send(Bytes((std::size_t{16} << 20U) + 1), soon()).error().code(), Code::kInvalidArgument);
}

TEST_F(StreamTest, StaysInItsWindowWhenTheReaderIsSlow) {
  constexpr std::size_t kSize = std::size_t{1} << 20U;
  constexpr std::size_t kCount = 64;
  const std::uint64_t window = StreamSettings().window;
  std::atomic<std::size_t> sent = 0;
  auto sender = std::async(std::launch::async, [&]() -> Status {
    for (std::size_t i = 0; i < kCount; ++i, ++sent) TCFDL_TRY(near_->send(pattern(kSize, i), soon()));
    return near_->finish();
  });
  ASSERT_TRUE(eventually([&] { return near_->counters().in_flight + kSize / 4 + 64 > window; }));
  EXPECT_LE(sent, 2U);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_LE(near_->counters().in_flight, window);
    EXPECT_LE(far_->counters().held, window);
    const auto got = far_->receive(soon());
    ASSERT_TRUE(got) << got.error().to_string();
    ASSERT_TRUE(*got == pattern(kSize, i)) << i;
    EXPECT_LE(sent, i + 4);
  }
  EXPECT_TRUE(sender.get());
  EXPECT_EQ(far_->receive(soon()).error().code(), Code::kOutOfRange);
}

TEST_F(StreamTest, BoundsMessagesWithoutContentToo) {
  const std::size_t most = StreamSettings().window / 64;
  std::size_t sent = 0;
  while (sent <= most && near_->send({}, Deadline::after(milliseconds(100)))) ++sent;
  ASSERT_EQ(sent, most);
  for (std::size_t i = 0; i < sent; ++i) ASSERT_TRUE(far_->receive(soon()));
  EXPECT_TRUE(near_->send({}, soon()));
}

TEST_F(StreamTest, ReceivesWhatWasSentBeforeTheEnd) {
  ASSERT_TRUE(near_->send(as_bytes("last words"), soon()));
  ASSERT_TRUE(near_->finish());
  near_.reset();
  EXPECT_EQ(far_->receive(soon()).value(), to_bytes("last words"));
  EXPECT_EQ(far_->receive(soon()).error().code(), Code::kOutOfRange);
}

TEST_F(StreamTest, GoesOnInOneDirectionAfterTheOtherFinished) {
  ASSERT_TRUE(near_->finish());
  EXPECT_EQ(near_->send({}, soon()).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(far_->receive(soon()).error().code(), Code::kOutOfRange);
  ASSERT_TRUE(far_->send(as_bytes("answer"), soon()));
  EXPECT_EQ(near_->receive(soon()).value(), to_bytes("answer"));
}

TEST_F(StreamTest, TellsThePeerThatItWasGivenUp) {
  near_.reset();
  EXPECT_EQ(far_->receive(soon()).error().code(), Code::kUnavailable);
  EXPECT_EQ(far_->send({}, soon()).error().code(), Code::kUnavailable);
}

TEST_F(StreamTest, IsUnblockedByShutdown) {
  auto receiving = std::async(std::launch::async, [&] { return near_->receive(soon()); });
  auto sending = std::async(std::launch::async, [&] { return near_->send(Bytes(std::size_t{8} << 20U), soon()); });
  ASSERT_TRUE(eventually([&] { return near_->counters().in_flight > std::size_t{1} << 20U; }));
  near_->shutdown();
  EXPECT_EQ(receiving.get().error().code(), Code::kCancelled);
  EXPECT_EQ(sending.get().error().code(), Code::kCancelled);
}

TEST_F(StreamTest, StaysUsableAfterADeadlineThatCutNothing) {
  EXPECT_EQ(near_->receive(Deadline::after(milliseconds(10))).error().code(), Code::kDeadlineExceeded);
  ASSERT_TRUE(far_->send(as_bytes("x"), soon()));
  EXPECT_EQ(near_->receive(soon()).value(), to_bytes("x"));
}

TEST_F(StreamTest, LivesThroughIdlenessLongerThanTheSilenceAllowed) {
  std::this_thread::sleep_for(StreamSettings().silence + milliseconds(500));
  ASSERT_TRUE(near_->send(as_bytes("still here"), soon()));
  EXPECT_EQ(far_->receive(soon()).value(), to_bytes("still here"));
}

TEST_F(StreamTest, FailsAtBothEndsWhenTheServerLosesMessages) {
  auto sending = std::async(std::launch::async, [&]() -> Status {
    for (;;) TCFDL_TRY(near_->send(pattern(1000, 0), soon()));
  });
  std::atomic<std::size_t> received = 0;
  auto receiving = std::async(std::launch::async, [&]() -> Status {
    for (;; ++received) TCFDL_TRY(far_->receive(soon()));
  });
  ASSERT_TRUE(eventually([&] { return received > 100; }));
  kill_server();
  EXPECT_EQ(sending.get().error().code(), Code::kUnavailable);
  EXPECT_EQ(receiving.get().error().code(), Code::kUnavailable);
}

TEST_F(StreamTest, RefusesAForgedFrame) {
  // Whoever may write to the stream's subject can end it, never insert into it unnoticed.
  std::promise<std::string> subject;
  std::atomic<bool> found = false;
  const auto spy = alice_->subscribe("tcfdl.stream.*.*.b", [&](const Message& message) {
    if (!found.exchange(true)) subject.set_value(std::string(message.subject));
  });
  ASSERT_TRUE(near_->send(as_bytes("one"), soon()));
  const auto target = subject.get_future().get();
  ASSERT_TRUE(alice_->publish(target, as_bytes("not a frame of a stream at all")));
  EXPECT_EQ(far_->receive(soon()).value(), to_bytes("one"));
  EXPECT_EQ(far_->receive(soon()).error().code(), Code::kUnavailable);
}

TEST_F(StreamTest, DeliversNoMessageTwiceWhenItsFrameIsReplayed) {
  std::promise<std::pair<std::string, Bytes>> captured;
  std::atomic<bool> found = false;
  const auto spy = alice_->subscribe("tcfdl.stream.*.*.b", [&](const Message& message) {
    const bool data = !message.data.empty() && message.data[0] == 1;
    if (data && !found.exchange(true)) {
      captured.set_value({std::string(message.subject), Bytes(message.data.begin(), message.data.end())});
    }
  });
  ASSERT_TRUE(near_->send(as_bytes("once"), soon()));
  const auto [subject, frame] = captured.get_future().get();
  ASSERT_TRUE(alice_->publish(subject, frame));
  EXPECT_EQ(far_->receive(soon()).value(), to_bytes("once"));
  const auto again = far_->receive(Deadline::after(seconds(5)));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::kUnavailable);
}

TEST_F(MessageQueueTest, OpensNoStreamWhereNobodyListens) {
  EXPECT_EQ(open_stream(*alice_, "nobody", {}, soon()).error().code(), Code::kUnavailable);
}

TEST_F(MessageQueueTest, RefusesMoreStreamsThanAListenerAllows) {
  StreamSettings settings;
  settings.most_streams = 1;
  Guarded<std::vector<std::unique_ptr<NatsStream>>> streams;
  const auto keep = [&](std::unique_ptr<NatsStream> stream, BytesView) {
    streams.with([&](auto& held) { held.push_back(std::move(stream)); });
  };
  const auto listener = StreamListener::listen(*bob_, "streams", keep, settings);
  ASSERT_TRUE(listener);
  auto first = open_stream(*alice_, "streams", {}, soon());
  ASSERT_TRUE(first);
  EXPECT_EQ(open_stream(*alice_, "streams", {}, soon()).error().code(), Code::kResourceExhausted);
  streams.with([](auto& held) { held.clear(); });
  EXPECT_TRUE(open_stream(*alice_, "streams", {}, soon()));
}

/// This program again, as a process that accepts one stream and holds it.
class PeerProcess {
public:
  PeerProcess(std::uint16_t port, const LocalTrust& trust) {
    const auto key = Nkey::generate(NkeyKind::kUser);
    std::string seed(as_text(key.seed_text().span()));
    auto jwt = trust.sign(key.public_text(), "bob", every_permission()).value();
    auto number = std::to_string(port);
    std::string program = "/proc/self/exe";
    std::string flag = "--peer";
    const std::array<char*, 6> arguments{program.data(), flag.data(), number.data(), seed.data(), jwt.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments.data(), environ), 0);
  }
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;
  ~PeerProcess() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

private:
  pid_t pid_ = 0;
};

TEST_F(MessageQueueTest, NoticesWithinSecondsThatAStreamsPeerVanished) {
  PeerProcess peer(server_->settings().port, trust_);
  std::unique_ptr<NatsStream> stream;
  ASSERT_TRUE(eventually([&] {
    auto opened = open_stream(*alice_, "peer", {}, soon());
    if (opened) stream = std::move(*opened);
    return stream != nullptr;
  }));
  ASSERT_EQ(stream->receive(soon()).value(), to_bytes("ready"));
  auto receiving = std::async(std::launch::async, [&] { return stream->receive(soon()); });
  const auto began = Deadline::Clock::now();
  peer.kill();
  EXPECT_EQ(receiving.get().error().code(), Code::kUnavailable);
  EXPECT_LT(Deadline::Clock::now() - began, seconds(4));
  EXPECT_EQ(stream->send(Bytes(std::size_t{4} << 20U), soon()).error().code(), Code::kUnavailable);
}

int run_peer(std::uint16_t port, std::string_view seed, std::string jwt) {
  auto key = Nkey::parse_seed(seed, NkeyKind::kUser);
  if (!key) return 1;
  const auto bus =
      NatsBus::connect(settings_for(port, "bob", std::make_shared<UserCredential>(*std::move(key), std::move(jwt))));
  if (!bus) return 1;
  std::promise<std::unique_ptr<NatsStream>> accepted;
  const auto listener = StreamListener::listen(
      **bus, "peer", [&](std::unique_ptr<NatsStream> stream, BytesView) { accepted.set_value(std::move(stream)); });
  const auto stream = accepted.get_future().get();
  if (!stream->send(as_bytes("ready"), soon())) return 1;
  std::ignore = stream->receive(soon());
  return 0;
}

} // namespace
} // namespace tcfdl::message_queue

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == "--peer") {
    return tcfdl::message_queue::run_peer(static_cast<std::uint16_t>(std::stoul(argv[2])), argv[3], argv[4]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
