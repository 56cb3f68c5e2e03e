#include "gateway/task_routes.hpp"

#include "base/ids.hpp"
#include "gateway/tests/client_world.hpp"
#include "http/client.hpp"

#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using testing::HasSubstr;

constexpr auto kTask = "0190b3c0-0000-7000-8000-000000000001";

/// One task, which is as the test says.
class FakeTasks final : public StoredTasks {
public:
  Result<sdk::Submitted> submit(const std::string& name, BytesView given, const SubmitOptions& asked,
                                const std::string& client) override {
    function = name;
    body = as_text(given);
    options = asked;
    owner = client;
    if (error) return *error;
    return sdk::Submitted{kTask, crypto::SecretBytes::copy_of(result_key)};
  }
  Result<TaskOutcome> wait(const std::string& id, std::chrono::milliseconds timeout, const sdk::ResultAccess& access,
                           const std::string& client) override {
    if (id != kTask) return make_error(Code::kNotFound, "there is no task {}", id);
    waited = timeout;
    shown_key.assign(access.key.begin(), access.key.end());
    protection = access.protection;
    owner = client;
    return outcome;
  }
  Result<TaskInfo> cancel(const std::string& id, const std::string&) override {
    cancelled = id;
    return outcome.info;
  }
  Result<std::vector<TaskInfo>> list(const std::string&) override { return std::vector{outcome.info}; }

  Bytes result_key = Bytes(16, 7);
  TaskOutcome outcome;
  std::optional<Error> error;
  std::string function;
  std::string body;
  std::string owner = "nobody yet";
  SubmitOptions options;
  std::chrono::milliseconds waited{0};
  Bytes shown_key;
  Protection protection = Protection::kEae;
  std::string cancelled;
};

class TaskRoutesTest : public testing::Test {
protected:
  TaskRoutesTest() {
    add_task_routes(server_, tasks_, callers_);
    started_ = bool(server_.start());
    tasks_.outcome.info.task_id = kTask;
    tasks_.outcome.info.function = "plates/read";
  }
  http::Response ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    http::Client http({.host = "127.0.0.1", .port = server_.port(), .token = kToken});
    auto response =
        http.send(http::Request::make(method, target, body, "text/plain"), Deadline::after(std::chrono::seconds(20)));
    EXPECT_TRUE(response) << response.error().to_string();
    return response.value_or(http::Response());
  }
  std::string submit() {
    return std::string(ask("POST", "/v1/functions/plates/read/tasks", "x").headers.get("Location"));
  }

  FakeTasks tasks_;
  ClientWorld world_;
  Callers callers_{
      {world_.authority.public_key(), world_.cluster, world_.revocations, world_.clock},
      [](const wire::Signed&, Deadline) -> Result<wire::Signed> { return Error(Code::kUnavailable, "nobody to ask"); }};
  http::Server server_{{.authenticate = http::single_token(kToken)}};
  bool started_ = false;
};

TEST_F(TaskRoutesTest, GiveAUrlAtOnce) {
  ASSERT_TRUE(started_);
  const auto response = ask("POST", "/v1/functions/plates/read/tasks?timeout=90s&protection=none", "an image");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(tasks_.function, "plates/read");
  EXPECT_EQ(tasks_.body, "an image");
  EXPECT_EQ(tasks_.owner, "") << "the holder of the token";
  EXPECT_EQ(tasks_.options.timeout, std::chrono::seconds(90));
  EXPECT_EQ(tasks_.options.protection, Protection::kNone);
  EXPECT_EQ(tasks_.options.content_type, "text/plain");
  EXPECT_THAT(std::string(response.headers.get("Location")), testing::StartsWith(std::string("/v1/tasks/") + kTask));
  EXPECT_THAT(std::string(response.text()), HasSubstr(std::string(response.headers.get("Location"))));
}

TEST_F(TaskRoutesTest, TheUrlCarriesTheKeyOfTheResult) {
  const auto url = submit();
  tasks_.outcome.info.state = TaskState::kSucceeded;
  tasks_.outcome.result = to_bytes("KA-01");
  const auto response = ask("GET", url + "?wait=5s");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.text(), "KA-01");
  EXPECT_EQ(tasks_.shown_key, tasks_.result_key);
  EXPECT_EQ(tasks_.waited, std::chrono::seconds(5));
  (void)ask("GET", std::string("/v1/tasks/") + kTask);
  EXPECT_THAT(tasks_.shown_key, testing::IsEmpty());
}

TEST_F(TaskRoutesTest, TellWhatIsNotOverYetAndWhatFailed) {
  const auto url = submit();
  const auto waiting = ask("GET", url);
  EXPECT_EQ(waiting.status, 202);
  EXPECT_TRUE(waiting.headers.has("Retry-After"));
  EXPECT_THAT(std::string(waiting.text()), HasSubstr(R"("state":"waiting")"));
  tasks_.outcome.info.state = TaskState::kFailed;
  tasks_.outcome.info.error = Error(Code::kUnavailable, "instance lost after start");
  const auto failed = ask("GET", url);
  EXPECT_EQ(failed.status, 503);
  EXPECT_EQ(failed.headers.get("Tcfdl-Task-State"), "failed");
  EXPECT_THAT(std::string(failed.text()), HasSubstr("instance lost after start"));
  tasks_.error = Error(Code::kResourceExhausted, "the caller's quota for stored tasks");
  EXPECT_EQ(ask("POST", "/v1/functions/plates/read/tasks", "x").status, 429);
}

TEST_F(TaskRoutesTest, CancelAndList) {
  EXPECT_EQ(ask("DELETE", submit()).status, 200);
  EXPECT_EQ(tasks_.cancelled, kTask);
  EXPECT_THAT(std::string(ask("GET", "/v1/tasks").text()), HasSubstr(kTask));
}

TEST_F(TaskRoutesTest, RefuseWhatTheyDoNotUnderstand) {
  const std::string task = std::string("/v1/tasks/") + kTask;
  EXPECT_EQ(ask("GET", "/v1/tasks/1").status, 400);
  EXPECT_EQ(ask("GET", task + ".AAAA").status, 400) << "a key that was cut";
  EXPECT_EQ(ask("GET", task + ".!").status, 400);
  EXPECT_EQ(ask("GET", task + "?wait=31s").status, 400);
  EXPECT_EQ(ask("GET", task + "?until=1").status, 400);
  EXPECT_EQ(ask("POST", "/v1/functions/plates/read/tasks?cluster=west", "x").status, 400);
  EXPECT_EQ(ask("GET", "/v1/tasks/0190b3c0-0000-7000-8000-000000000002").status, 404);
  EXPECT_EQ(tasks_.function, "");
}

} // namespace
} // namespace tcfdl::gateway
