// A function called by name inside one cluster: command line, SDK and HTTP.
#include "support/platform.hpp"

#include <gtest/gtest.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::test {
namespace {

class Call : public testing::Test {
protected:
  static void SetUpTestSuite() {
    platform_ = new Platform();
    ASSERT_EQ(platform_->up(), "");
    const auto deployed = platform_->deploy("echo", "examples-echo");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  }
  static void TearDownTestSuite() {
    delete platform_;
    platform_ = nullptr;
  }
  static Platform* platform_;
};

Platform* Call::platform_ = nullptr;

TEST_F(Call, ReturnsTheBodyAndSaysWhereItRan) {
  const auto called = platform_->invoke("echo", "hello");
  ASSERT_EQ(called.exit_code, 0) << called.err;
  EXPECT_EQ(called.out, "hello");
  EXPECT_EQ(called.summary["cluster"], "local");
  EXPECT_EQ(called.summary["node"], "worker-1");
  EXPECT_EQ(called.summary["tee_kind"], "software");
  EXPECT_EQ(called.summary["protection"], "eae");
}

TEST_F(Call, CarriesBodiesOfEverySizeInBothProtections) {
  for (const std::size_t size : {0UL, 1UL, 65536UL, 65537UL, 5'000'000UL}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 7);
    for (const auto* protection : {"eae", "none"}) {
      const auto called = platform_->invoke("echo", body, {"--protection", protection});
      ASSERT_EQ(called.exit_code, 0) << called.err;
      EXPECT_EQ(called.out, body) << size << ' ' << protection;
    }
  }
}

TEST_F(Call, WorksThroughPipes) {
  const auto called = platform_->tcfdl({"invoke", "echo", "--in", "-", "--out", "-"}, "through a pipe");
  EXPECT_EQ(called.exit_code, 0) << called.err;
  EXPECT_EQ(called.out, "through a pipe");
}

TEST_F(Call, OfAnUnknownFunctionIsNotFound) {
  const auto called = platform_->invoke("nobody/knows", "x");
  EXPECT_EQ(called.exit_code, 1);
  EXPECT_NE(called.err.find("NOT_FOUND"), std::string::npos) << called.err;
  EXPECT_NE(called.err.find("nobody/knows"), std::string::npos) << called.err;
}

TEST_F(Call, RunsSideBySideThroughTheSdk) {
  auto client = Client::connect("local");
  ASSERT_TRUE(client) << client.error().to_string();
  std::vector<std::future<Result<CallResult>>> calls;
  for (int i = 0; i < 20; ++i) calls.push_back((*client)->call_async("echo", to_bytes("call " + std::to_string(i))));
  for (int i = 0; i < 20; ++i) {
    const auto result = calls[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(as_text(result->body), "call " + std::to_string(i));
  }
}

TEST_F(Call, InASteadyStreamLetsHeartbeatsThrough) {
  auto client = Client::connect("local");
  ASSERT_TRUE(client);
  // Longer than a node may be silent before it counts as lost.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (std::chrono::steady_clock::now() < end) {
    const auto result = (*client)->call("echo", as_bytes("again"));
    ASSERT_TRUE(result) << result.error().to_string();
  }
  const auto log = read_text_file(platform_->state() / "logs" / "local-master.log").value();
  EXPECT_EQ(log.find("is lost"), std::string::npos) << log;
}

TEST_F(Call, WithTheSameTaskIdGetsTheStoredOutcomeAndAnotherBodyIsRefused) {
  auto client = Client::connect("local");
  ASSERT_TRUE(client);
  CallOptions options;
  options.task_id = "018f0000-0000-7000-8000-0000000000aa";
  ASSERT_TRUE((*client)->call("echo", as_bytes("once"), options));
  const auto repeated = (*client)->call("echo", as_bytes("once"), options);
  ASSERT_TRUE(repeated) << repeated.error().to_string();
  EXPECT_EQ(as_text(repeated->body), "once");
  const auto other = (*client)->call("echo", as_bytes("twice"), options);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kAlreadyExists) << other.error().to_string();
}

TEST_F(Call, EndsInTheGatewayOverHttp) {
  const auto context = sdk::load_context("local");
  ASSERT_TRUE(context);
  const auto url = context->gateway_url + "/v1/functions/echo/invoke";
  const auto called = run({"curl", "-sS", "-i", "-H", "Authorization: Bearer " + context->gateway_token,
                           "--data-binary", "over http", url});
  EXPECT_NE(called.out.find("200 OK"), std::string::npos) << called.out << called.err;
  EXPECT_TRUE(called.out.ends_with("over http")) << called.out;
  const auto refused = run({"curl", "-sS", "-i", "--data-binary", "x", url});
  EXPECT_NE(refused.out.find("401"), std::string::npos) << refused.out;
  const auto master = run({"curl", "-sS", "-H", "Authorization: Bearer " + context->api_token, "--data-binary", "x",
                           context->api_url + "/v1/functions/echo/invoke"});
  EXPECT_NE(master.out.find("FAILED_PRECONDITION"), std::string::npos) << master.out;
  EXPECT_NE(master.out.find(context->gateway_url), std::string::npos) << master.out;
}

TEST_F(Call, ThroughTheFrameworkFromAFunction) {
  ASSERT_EQ(platform_->deploy("slow", "examples-slow").exit_code, 0);
  const auto called = platform_->invoke("slow", "call echo from within");
  EXPECT_EQ(called.exit_code, 0) << called.err;
  EXPECT_EQ(called.out, "from within");
}

TEST_F(Call, OfAProgramThroughTcfdlExec) {
  const auto path = platform_->root() / "upper.yaml";
  ASSERT_TRUE(write_file(path, as_bytes("name: upper\ncommand: [tcfdl-exec, once, /usr/bin/tr, a-z, A-Z]\n")));
  const auto deployed = platform_->tcfdl({"function", "deploy", path.string()});
  ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
  const auto called = platform_->invoke("upper", "any program");
  EXPECT_EQ(called.exit_code, 0) << called.err;
  EXPECT_EQ(called.out, "ANY PROGRAM");
}

} // namespace
} // namespace tcfdl::test
