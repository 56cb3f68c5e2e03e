#include "node/callback_receivers.hpp"

#include "base/fd.hpp"
#include "base/file.hpp"
#include "http/server.hpp"
#include "wire/task_document.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

namespace tcfdl::node {
namespace {

using testing::HasSubstr;

std::unique_ptr<CallbackReceivers> receivers(std::vector<std::string> admitted) {
  return CallbackReceivers::make({.admitted = std::move(admitted)}).value();
}

TEST(CallbackReceivers, AdmitWhatLiesBelowAnAdmittedUrl) {
  const auto some = receivers({"https://hooks.example/tcfdl/", "http://127.0.0.1:8000"});
  EXPECT_TRUE(some->check("https://hooks.example/tcfdl"));
  EXPECT_TRUE(some->check("https://hooks.example/tcfdl/anna/1"));
  EXPECT_TRUE(some->check("http://127.0.0.1:8000/any"));
  const auto refused = [&](const std::string& url) {
    const auto checked = some->check(url);
    return checked ? "admitted" : std::string(code_name(checked.error().code()));
  };
  for (const auto* url : {"https://hooks.example/tcfdl2", "https://hooks.example/", "http://hooks.example/tcfdl",
                          "https://hooks.example:8443/tcfdl", "https://hooks.example/tcfdl/../admin",
                          "https://hooks.example/tcfdl/%2e%2e/admin", "http://127.0.0.1:80001/", "http://127.0.0.1/"}) {
    EXPECT_THAT(refused(url), testing::AnyOf("PERMISSION_DENIED", "INVALID_ARGUMENT")) << url;
  }
  EXPECT_EQ(refused("https://u@hooks.example/tcfdl"), "INVALID_ARGUMENT");
  EXPECT_EQ(refused("file:///etc/passwd"), "INVALID_ARGUMENT");
  EXPECT_THAT(receivers({})->check("https://hooks.example/tcfdl").error().message(), HasSubstr("'callbacks'"));
}

TEST(CallbackReceivers, RefuseConfigurationThatWouldGoInTheClear) {
  EXPECT_FALSE(CallbackReceivers::make({.admitted = {"http://192.0.2.7/"}}));
  EXPECT_FALSE(CallbackReceivers::make({.admitted = {"hooks.example"}}));
}

TEST(CallbackReceivers, PostTheTaskAndItsSealedResult) {
  http::Server server(http::ServerSettings{});
  http::Request got;
  server.add("POST", "/hooks/{name}",
             [&got](const http::Request& request) {
               got = request;
               return http::Response::empty(503);
             },
             {.is_public = true});
  ASSERT_TRUE(server.start());
  const TemporaryDirectory directory;
  const auto file = directory.path() / "result";
  const std::string sealed(100'000, 's');
  ASSERT_TRUE(write_file(file, as_bytes(sealed)));
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const auto base = fmt::format("http://127.0.0.1:{}/hooks", server.port());
  wire::StoredTask task;
  task.set_task_id("t-1");
  task.set_result_header("header");
  const auto status =
      receivers({base})->post(base + "/anna", task, fd.get(), Deadline::after(std::chrono::seconds(20)));
  ASSERT_TRUE(status) << status.error().to_string();
  EXPECT_EQ(*status, 503);
  EXPECT_EQ(got.params["name"], "anna");
  EXPECT_EQ(got.headers.get("Content-Type"), wire::kTaskDocumentType);
  const auto document = wire::parse_task_document(got.body);
  ASSERT_TRUE(document) << document.error().to_string();
  EXPECT_EQ(document->first.task_id(), "t-1");
  EXPECT_TRUE(as_text(document->second) == sealed);
}

} // namespace
} // namespace tcfdl::node
