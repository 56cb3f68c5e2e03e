// The bus, the key-value store and the embedded server over a real nats-server.

#include "base/guarded.hpp"
#include "message_queue_fixture.hpp"

#include <atomic>
#include <future>
#include <map>
#include <sys/stat.h>
#include <thread>

namespace tcfdl::message_queue {
namespace {

TEST_F(MessageQueueTest, AnswersRequests) {
  const auto service =
      bob_->serve("echo", [](BytesView request) -> Result<Bytes> { return Bytes(request.rbegin(), request.rend()); });
  ASSERT_TRUE(service);
  EXPECT_EQ(alice_->request("echo", as_bytes("abc"), soon()).value(), to_bytes("cba"));
  EXPECT_TRUE(alice_->request("echo", {}, soon()).value().empty());
}

TEST_F(MessageQueueTest, CarriesAServicesErrorToItsCaller) {
  const auto service = bob_->serve("fail", [](BytesView) -> Result<Bytes> {
    auto error = make_error(Code::kNotFound, "no such thing:\r\nlook elsewhere");
    error.set_retry_after(std::chrono::milliseconds(1234));
    return error;
  });
  const auto answer = alice_->request("fail", as_bytes("x"), soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Code::kNotFound);
  EXPECT_EQ(answer.error().message(), "no such thing:\r\nlook elsewhere");
  EXPECT_EQ(answer.error().retry_after(), std::chrono::milliseconds(1234));
}

TEST_F(MessageQueueTest, SaysThatAnAnswerIsTooLarge) {
  const auto service = bob_->serve("big", [](BytesView) -> Result<Bytes> { return Bytes(std::size_t{2} << 20U); });
  EXPECT_EQ(alice_->request("big", {}, soon()).error().code(), Code::kInternal);
  EXPECT_EQ(alice_->request("big", Bytes(std::size_t{2} << 20U), soon()).error().code(), Code::kInvalidArgument);
}

TEST_F(MessageQueueTest, FailsAtOnceWhenNobodyServes) {
  const auto began = Deadline::Clock::now();
  EXPECT_EQ(alice_->request("nobody", {}, soon()).error().code(), Code::kUnavailable);
  EXPECT_LT(Deadline::Clock::now() - began, seconds(5));
}

TEST_F(MessageQueueTest, EndsARequestAtItsDeadline) {
  const auto silent = bob_->subscribe("silent", [](const Message&) {});
  EXPECT_EQ(alice_->request("silent", {}, Deadline::after(milliseconds(50))).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(alice_->request("silent", {}, Deadline::after(milliseconds(0))).error().code(), Code::kDeadlineExceeded);
}

TEST_F(MessageQueueTest, RefusesMalformedSubjects) {
  EXPECT_EQ(alice_->publish("a b", {}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(alice_->publish("a.*", {}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(alice_->subscribe("a..b", [](const Message&) {}).error().code(), Code::kInvalidArgument);
}

TEST_F(MessageQueueTest, AnswersOthersWhileAHandlerIsSlow) {
  std::promise<void> release;
  auto released = release.get_future().share();
  const auto service = bob_->serve("work", [released](BytesView request) -> Result<Bytes> {
    if (as_text(request) == "slow") released.wait();
    return Bytes(request.begin(), request.end());
  });
  auto slow = std::async(std::launch::async, [&] { return alice_->request("work", as_bytes("slow"), soon()); });
  EXPECT_TRUE(alice_->request("work", as_bytes("fast"), soon()));
  release.set_value();
  EXPECT_TRUE(slow.get());
}

TEST_F(MessageQueueTest, RefusesRequestsBeyondItsQueue) {
  auto settings = settings_of("bob");
  settings.workers = 1;
  settings.waiting_requests = 1;
  const auto small = NatsBus::connect(settings).value();
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> running = 0;
  const auto service = small->serve("work", [&](BytesView) -> Result<Bytes> {
    ++running;
    released.wait();
    return Bytes();
  });
  const auto call = [&] { return alice_->request("work", {}, soon()); };
  auto first = std::async(std::launch::async, call);
  ASSERT_TRUE(eventually([&] { return running == 1; }));
  auto second = std::async(std::launch::async, call);
  auto third = std::async(std::launch::async, call);
  const bool second_refused = eventually([&] {
    return second.wait_for(seconds(0)) == std::future_status::ready ||
           third.wait_for(seconds(0)) == std::future_status::ready;
  });
  EXPECT_TRUE(second_refused);
  release.set_value();
  ASSERT_TRUE(first.get());
  const auto a = second.get();
  const auto b = third.get();
  EXPECT_NE(a.has_value(), b.has_value());
  EXPECT_EQ((a ? b : a).error().code(), Code::kResourceExhausted);
}

TEST_F(MessageQueueTest, DeliversInOrderToEverySubscriberAndToOneOfAGroup) {
  std::atomic<int> grouped = 0;
  std::promise<std::string> all;
  std::string seen;
  const auto plain = bob_->subscribe("news.*", [&](const Message& message) {
    seen += as_text(message.data);
    if (message.subject == "news.end") all.set_value(seen);
  });
  const auto count = [&](const Message&) { ++grouped; };
  const auto one = alice_->subscribe("news.item", count, "group");
  const auto two = bob_->subscribe("news.item", count, "group");
  for (const auto* item : {"1", "2", "3"}) ASSERT_TRUE(alice_->publish("news.item", as_bytes(item)));
  ASSERT_TRUE(alice_->publish("news.end", {}));
  EXPECT_EQ(all.get_future().get(), "123");
  EXPECT_TRUE(eventually([&] { return grouped == 3; }));
}

TEST_F(MessageQueueTest, RunsNoHandlerAfterASubscriptionEnded) {
  auto ended = std::make_shared<std::atomic<bool>>(false);
  std::atomic<int> calls = 0;
  auto subscription = bob_->subscribe("tick", [&, ended](const Message&) {
    EXPECT_FALSE(*ended);
    ++calls;
  });
  std::jthread sender([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) EXPECT_TRUE(alice_->publish("tick", {}));
  });
  ASSERT_TRUE(eventually([&] { return calls > 10; }));
  subscription->reset();
  *ended = true;
}

TEST_F(MessageQueueTest, EnforcesWhatAUserMayDo) {
  const auto guest = connect("guest");
  const auto secret = bob_->serve("secret", [](BytesView) -> Result<Bytes> { return Bytes(); });
  EXPECT_EQ(guest->request("secret", {}, Deadline::after(milliseconds(200))).error().code(), Code::kDeadlineExceeded);
  const auto forbidden = guest->subscribe("secret.news", [](const Message&) {});
  ASSERT_FALSE(forbidden);
  EXPECT_EQ(forbidden.error().code(), Code::kPermissionDenied);
  const auto open = guest->serve("open.service", [](BytesView) -> Result<Bytes> { return to_bytes("welcome"); });
  ASSERT_TRUE(open) << open.error().to_string();
  EXPECT_EQ(alice_->request("open.service", {}, soon()).value(), to_bytes("welcome"));
  EXPECT_EQ(guest->request("open.service", {}, soon()).value(), to_bytes("welcome"));
}

TEST_F(MessageQueueTest, KeepsEveryUserFromTheAdministrationOfJetStream) {
  const auto outcome =
      alice_->request("$JS.API.ACCOUNT.PURGE." + trust_.account(), {}, Deadline::after(milliseconds(200)));
  EXPECT_EQ(outcome.error().code(), Code::kDeadlineExceeded);
  EXPECT_TRUE(alice_->request("$JS.API.INFO", {}, soon()));
}

TEST_F(MessageQueueTest, RefusesAStrangersCredential) {
  auto settings = settings_of("alice");
  settings.credential = LocalTrust().user("alice", every_permission()).value();
  settings.retry_first_connect = true;
  const auto bus = NatsBus::connect(settings);
  ASSERT_FALSE(bus);
  EXPECT_EQ(bus.error().code(), Code::kUnauthenticated);
}

TEST_F(MessageQueueTest, KeepsItsConfigurationPrivate) {
  struct stat info{};
  ASSERT_EQ(::stat((directory_.path() / "nats" / "nats-server.conf").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(MessageQueueTest, ComesBackAfterTheServerWasKilled) {
  ASSERT_TRUE(alice_->create_bucket("state"));
  ASSERT_TRUE(alice_->put("state", "key", as_bytes("value")));
  std::atomic<int> losses = 0;
  std::atomic<int> returns = 0;
  bob_->on_state([&](BusState state) {
    if (state == BusState::kDisconnected) ++losses;
    if (state == BusState::kConnected) ++returns;
  });
  const auto service =
      bob_->serve("echo", [](BytesView request) -> Result<Bytes> { return Bytes(request.begin(), request.end()); });
  kill_server();
  EXPECT_TRUE(eventually([&] { return losses == 1 && returns == 1; }));
  EXPECT_TRUE(eventually([&] { return alice_->request("echo", as_bytes("x"), soon()).has_value(); }));
  Result<Bytes> value = make_error(Code::kUnknown, "not read yet");
  EXPECT_TRUE(eventually([&] { return (value = alice_->get("state", "key")).has_value(); }))
      << value.error().to_string();
  EXPECT_EQ(*value, to_bytes("value"));
  bob_->on_state(nullptr);
}

TEST_F(MessageQueueTest, FailsPromptlyWhileTheServerIsGone) {
  const auto silent = bob_->subscribe("silent", [](const Message&) {});
  auto pending = std::async(std::launch::async, [&] { return alice_->request("silent", {}, soon()); });
  server_->stop();
  EXPECT_EQ(pending.get().error().code(), Code::kUnavailable);
  ASSERT_TRUE(eventually([&] { return !alice_->connected(); }));
  EXPECT_EQ(alice_->request("silent", {}, soon()).error().code(), Code::kUnavailable);
  EXPECT_EQ(alice_->publish("silent", {}).error().code(), Code::kUnavailable);
  EXPECT_EQ(alice_->get("state", "key").error().code(), Code::kUnavailable);
  EXPECT_EQ(server_->pid(), 0);
}

TEST_F(MessageQueueTest, FailsWhileTheServerIsStoppedAndReadsNothing) {
  const auto server = server_->pid();
  ASSERT_EQ(::kill(server, SIGSTOP), 0);
  const Bytes message(std::size_t{512} * 1024);
  Status sent;
  for (int i = 0; i < 1000 && sent; ++i) sent = alice_->publish("open.flood", message);
  EXPECT_FALSE(sent) << "rather than to wait for a reader";
  EXPECT_FALSE(alice_->request("nobody.here", to_bytes("x"), Deadline::after(milliseconds(200))));
  ASSERT_EQ(::kill(server, SIGCONT), 0);
  EXPECT_TRUE(eventually([&] { return bool(alice_->publish("open.flood", to_bytes("again"))); }));
}

TEST_F(MessageQueueTest, ConnectsLaterToAServerThatIsNotThereYet) {
  server_->stop();
  auto settings = settings_of("alice");
  EXPECT_EQ(NatsBus::connect(settings).error().code(), Code::kUnavailable);
  settings.retry_first_connect = true;
  const auto early = NatsBus::connect(settings).value();
  EXPECT_FALSE(early->connected());
  ASSERT_TRUE(server_->start());
  EXPECT_TRUE(eventually([&] { return early->connected(); }));
}

TEST_F(MessageQueueTest, DoesNotMistakeAStrangerOnItsPortForItsServer) {
  auto settings = server_->settings();
  settings.state_directory = directory_.path() / "second";
  EmbeddedServer second(settings);
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Code::kUnavailable);
  EXPECT_EQ(second.pid(), 0);
}

TEST_F(MessageQueueTest, KeepsValuesByKey) {
  ASSERT_TRUE(alice_->create_bucket("b"));
  ASSERT_TRUE(alice_->create_bucket("b"));
  ASSERT_TRUE(alice_->put("b", "x/y", as_bytes("1")));
  ASSERT_TRUE(alice_->put("b", "x/y", as_bytes("2")));
  EXPECT_EQ(bob_->get("b", "x/y").value(), to_bytes("2"));
  ASSERT_TRUE(bob_->put("b", "empty", {}));
  EXPECT_TRUE(bob_->get("b", "empty").value().empty());
  ASSERT_TRUE(bob_->remove("b", "x/y"));
  ASSERT_TRUE(bob_->remove("b", "x/y"));
  EXPECT_EQ(alice_->get("b", "x/y").error().code(), Code::kNotFound);
  EXPECT_EQ(alice_->get("none", "x").error().code(), Code::kNotFound);
  EXPECT_EQ(alice_->put("b", "a b", {}).error().code(), Code::kInvalidArgument);
}

TEST_F(MessageQueueTest, TellsAWatchPresentValuesChangesAndWhatCameAfterALoss) {
  ASSERT_TRUE(alice_->create_bucket("b"));
  ASSERT_TRUE(alice_->put("b", "old", as_bytes("1")));
  Guarded<std::map<std::string, std::string>> seen;
  const auto watch = bob_->watch("b", [&](const KeyChange& change) {
    seen.with([&](auto& map) {
      map[std::string(change.key)] = change.value ? std::string(as_text(*change.value)) : "removed";
    });
  });
  ASSERT_TRUE(watch) << watch.error().to_string();
  const auto sees = [&](const std::string& key, const std::string& value) {
    return eventually([&] { return seen.with([&](auto& map) { return map[key] == value; }); });
  };
  EXPECT_TRUE(sees("old", "1"));
  ASSERT_TRUE(alice_->put("b", "new", as_bytes("2")));
  EXPECT_TRUE(sees("new", "2"));
  ASSERT_TRUE(alice_->remove("b", "old"));
  EXPECT_TRUE(sees("old", "removed"));
  kill_server();
  ASSERT_TRUE(eventually([&] { return alice_->put("b", "new", as_bytes("3")).has_value(); }));
  EXPECT_TRUE(sees("new", "3"));
  EXPECT_FALSE(bob_->watch("none", [](const KeyChange&) {}));
}

} // namespace
} // namespace tcfdl::message_queue
