// Tasks that outlive their callers, and the master.
#include "support/platform.hpp"
#include "support/search.hpp"

#include "base/guarded.hpp"
#include "http/server.hpp"

#include <csignal>
#include <future>
#include <gmock/gmock.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

class AsyncTasks : public testing::Test {
protected:
  explicit AsyncTasks(const std::string& topology = {}) : platform_(topology) {}
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("slow", "examples-slow");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    client_ = Client::connect("local").value();
  }
  std::string submit(const std::string& body, const SubmitOptions& options = {}) {
    const auto id = client_->submit("slow", as_bytes(body), options);
    EXPECT_TRUE(id) << id.error().to_string();
    return id.value_or("");
  }
  TaskOutcome end_of(const std::string& id) {
    auto outcome = client_->task_wait(id, seconds(60));
    EXPECT_TRUE(outcome) << outcome.error().to_string();
    return outcome.value_or(TaskOutcome());
  }
  bool comes_to_be(const std::string& id, TaskState state) {
    return eventually([&] {
      const auto outcome = client_->task_get(id);
      return outcome && outcome->info.state == state;
    });
  }
  bool handler_began() {
    return eventually([&] {
      const auto shown = platform_.json({"function", "show", "slow"});
      return shown.is_object() && shown.value("started", 0) >= 1;
    });
  }
  void kill_master() {
    ASSERT_TRUE(platform_.kill_master());
    client_ = Client::connect("local").value();
  }

  Platform platform_;
  std::unique_ptr<Client> client_;
};

TEST_F(AsyncTasks, AResultIsFetchedByItsOwnerAnywhereAndByNobodyElse) {
  const auto submitted = platform_.tcfdl({"task", "submit", "slow"}, "echo a secret word");
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const auto id = submitted.out.substr(0, submitted.out.find('\n'));
  const auto waited = platform_.tcfdl({"task", "wait", id});
  EXPECT_EQ(waited.out, "a secret word") << waited.err;
  const auto again = client_->task_get(id);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->info.state, TaskState::kSucceeded);
  EXPECT_EQ(as_text(again->result), "a secret word");
  EXPECT_GT(again->info.finished_ms, 0);
  EXPECT_EQ(platform_.json({"task", "list"})[0]["task_id"], id);

  ASSERT_EQ(platform_.enrol("other").exit_code, 0);
  const auto other = Client::connect("other").value();
  EXPECT_EQ(other->task_get(id).error().code(), Code::kNotFound);
  EXPECT_EQ(other->task_cancel(id).error().code(), Code::kNotFound);
  EXPECT_TRUE(other->task_list().value().empty());
}

TEST_F(AsyncTasks, TheMasterHasNoPlaintextOnItsDisk) {
  const auto id = submit("echo needle-in-the-haystack");
  ASSERT_EQ(as_text(end_of(id).result), "needle-in-the-haystack");
  EXPECT_TRUE(files_with(platform_.state() / "nodes" / "local-master", "needle-in-the-haystack").empty());
}

TEST_F(AsyncTasks, AHandlersErrorReachesItsOwnerInItsWordsAndTheMasterByItsCode) {
  const auto id = submit("fail NOT_FOUND no such page");
  const auto outcome = end_of(id);
  EXPECT_EQ(outcome.info.state, TaskState::kFailed);
  ASSERT_TRUE(outcome.info.error);
  EXPECT_EQ(outcome.info.error->code(), Code::kNotFound);
  EXPECT_EQ(outcome.info.error->message(), "no such page");
  const auto listed = client_->task_list().value();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].error->message(), "");
}

TEST_F(AsyncTasks, ARepeatIsTheSameTaskAndAnotherBodyIsRefused) {
  SubmitOptions options;
  options.task_id = "0190b4a2-7f00-7000-8000-000000000001";
  const auto first = end_of(submit("pid", options)).result;
  EXPECT_EQ(submit("pid", options), options.task_id);
  EXPECT_EQ(end_of(options.task_id).result, first);
  EXPECT_EQ(client_->task_list().value().size(), 1U);
  EXPECT_EQ(client_->submit("slow", as_bytes("echo"), options).error().code(), Code::kAlreadyExists);
}

TEST_F(AsyncTasks, ACancelledTaskStopsItsHandlerAndOneThatWaitsDoesNotStart) {
  const auto running = submit("sleep 60000");
  ASSERT_TRUE(handler_began());
  const auto waiting = submit("echo later");
  ASSERT_TRUE(client_->task_cancel(waiting));
  EXPECT_EQ(end_of(waiting).info.state, TaskState::kCancelled);
  ASSERT_EQ(platform_.tcfdl({"task", "cancel", running}).exit_code, 0);
  EXPECT_EQ(end_of(running).info.state, TaskState::kCancelled);
  EXPECT_EQ(platform_.invoke("slow", "echo free").out, "free") << "the slot is free long before the handler's own time";
}

TEST_F(AsyncTasks, ATaskWhoseDeadlinePassesExpires) {
  SubmitOptions options;
  options.timeout = milliseconds(1500);
  const auto outcome = end_of(submit("sleep 60000", options));
  EXPECT_EQ(outcome.info.state, TaskState::kExpired);
  ASSERT_TRUE(outcome.info.error);
  EXPECT_EQ(outcome.info.error->code(), Code::kDeadlineExceeded);
  options.timeout = kLongestTask + seconds(1);
  EXPECT_EQ(client_->submit("slow", as_bytes("echo"), options).error().code(), Code::kInvalidArgument);
}

TEST_F(AsyncTasks, WhatCannotBeStoredIsRefused) {
  SubmitOptions hse;
  hse.protection = Protection::kHse;
  EXPECT_EQ(client_->submit("slow", as_bytes("echo"), hse).error().code(), Code::kInvalidArgument);
  ASSERT_EQ(platform_.deploy("apart", "examples-slow", "isolate: instance\n").exit_code, 0);
  EXPECT_EQ(client_->submit("apart", as_bytes("echo")).error().code(), Code::kFailedPrecondition);
  SubmitOptions open;
  open.protection = Protection::kNone;
  const auto id = submit("echo for everybody", open);
  EXPECT_EQ(as_text(client_->task_wait(id, seconds(60), Protection::kNone).value().result), "for everybody");
  EXPECT_EQ(client_->task_get(id).error().code(), Code::kUnauthenticated) << "a result that anybody could have made";
}

TEST_F(AsyncTasks, AMasterThatIsKilledGoesOnWithWhatWaitsAndWhatRuns) {
  const auto running = submit("sleep 8000");
  ASSERT_TRUE(handler_began());
  ASSERT_TRUE(comes_to_be(running, TaskState::kRunning));
  const auto waiting = submit("echo delivered");
  kill_master();
  const auto first = end_of(running);
  ASSERT_EQ(first.info.state, TaskState::kSucceeded) << first.info.error->to_string();
  EXPECT_EQ(as_text(first.result), "slept") << "it was not told to end, and did not run again";
  EXPECT_EQ(as_text(end_of(waiting).result), "delivered");
}

TEST_F(AsyncTasks, ATaskIsLostWithItsInstanceUnlessItIsIdempotent) {
  const auto lost = submit("sleep 30000");
  ASSERT_TRUE(handler_began());
  for (const auto pid : platform_.instances("bin/examples-slow")) ::kill(pid, SIGKILL);
  const auto outcome = end_of(lost);
  EXPECT_EQ(outcome.info.state, TaskState::kFailed);
  ASSERT_TRUE(outcome.info.error);
  EXPECT_EQ(outcome.info.error->code(), Code::kUnavailable);
  EXPECT_THAT(outcome.info.error->message(), HasSubstr("instance lost after start"));
}

class AsyncQuota : public AsyncTasks {
protected:
  AsyncQuota()
      : AsyncTasks("clusters:\n  - name: local\n    workers: [worker-1]\n    async_tasks: {quota_per_caller: 1MiB}\n") {
  }
};

TEST_F(AsyncQuota, IsSaidAndFreeAgainAfterwards) {
  const auto running = submit("sleep 3000");
  ASSERT_TRUE(handler_began());
  const std::string large = "echo " + std::string(700'000, 'x');
  const auto waiting = submit(large);
  const auto refused = client_->submit("slow", as_bytes(large));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted) << refused.error().to_string();
  EXPECT_THAT(refused.error().message(), HasSubstr("the caller's quota"));
  EXPECT_EQ(end_of(waiting).result.size(), 700'000U);
  EXPECT_EQ(end_of(running).info.state, TaskState::kSucceeded);
}

/// A receiver that has no time at first, and what it got.
class Receiver {
public:
  Receiver() {
    server_.add("POST", "/hooks/{name}",
                [this](const http::Request& request) {
                  const auto before = bodies_.with([&](auto& bodies) {
                    bodies.emplace_back(as_text(request.body));
                    return bodies.size();
                  });
                  return http::Response::empty(before == 1 ? 503 : 204);
                },
                {.is_public = true});
    started = bool(server_.start());
  }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}/hooks", server_.port()); }
  [[nodiscard]] std::vector<std::string> bodies() {
    return bodies_.with([](const auto& bodies) { return bodies; });
  }
  bool started = false;

private:
  Guarded<std::vector<std::string>> bodies_;
  http::Server server_{http::ServerSettings{}};
};

class CallbacksOfTasks : public AsyncTasks {
protected:
  explicit CallbacksOfTasks(std::unique_ptr<Receiver> receiver = std::make_unique<Receiver>())
      : AsyncTasks(
            fmt::format("clusters:\n  - name: local\n    workers: [worker-1]\n    callbacks: [{}]\n", receiver->url())),
        receiver_(std::move(receiver)) {}

  const std::unique_ptr<Receiver> receiver_;
};

TEST_F(CallbacksOfTasks, BringTheSealedResultWhichItsOwnerOpens) {
  ASSERT_TRUE(receiver_->started);
  const auto url = receiver_->url() + "/anna";
  const auto submitted = platform_.tcfdl({"task", "submit", "slow", "--callback", url}, "echo a secret word");
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  ASSERT_TRUE(eventually([&] { return receiver_->bodies().size() >= 2; })) << "again after the refusal";
  const auto body = receiver_->bodies().back();
  EXPECT_EQ(body.find("a secret word"), std::string::npos);
  const auto opened = platform_.tcfdl({"task", "open", "-"}, body);
  EXPECT_EQ(opened.out, "a secret word") << opened.err;
  auto changed = body;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_NE(platform_.tcfdl({"task", "open", "-"}, changed).exit_code, 0);
  ASSERT_EQ(platform_.enrol("other").exit_code, 0);
  EXPECT_NE(platform_.tcfdl({"--context", "other", "task", "open", "-"}, body).exit_code, 0);
  const auto elsewhere = platform_.tcfdl({"task", "submit", "slow", "--callback", "http://127.0.0.1:9/x"}, "echo");
  EXPECT_NE(elsewhere.exit_code, 0);
  EXPECT_THAT(elsewhere.err, HasSubstr("its operator names where it may"));
}

} // namespace
} // namespace tcfdl::test
