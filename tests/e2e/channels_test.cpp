// TLS between real processes: the message queues always, the API where it is asked for.
#include "support/platform.hpp"

#include <gmock/gmock.h>
#include <sdk/context.hpp>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kTlsTopology = R"(clusters:
  - name: vehicle
    api_tls: true
    workers: [car-1]
)";

class Channels : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ::setenv("TCFDL_CONTEXT_DIR", platform_.environment().at("TCFDL_CONTEXT_DIR").c_str(), 1);
  }

  /// What a peer without TLS hears: the announcement, and what follows a login.
  static std::string plain_login(const std::string& port) {
    return run({"bash", "-c",
                "exec 3<>/dev/tcp/127.0.0.1/" + port +
                    R"(; head -n 1 <&3; printf 'CONNECT {"verbose":true}\r\nPING\r\n' >&3; timeout 5 cat <&3)"})
        .out;
  }
  [[nodiscard]] static std::string authority_of(const std::string& url) { return url.substr(url.find("//") + 2); }

  Platform platform_{kTlsTopology};
};

TEST_F(Channels, OfMessageQueuesAreTlsFromTheFirstConnectionOn) {
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  EXPECT_EQ(platform_.invoke("echo", "over TLS").out, "over TLS");
  for (const auto* node : {"service-manager", "vehicle-master"}) {
    const auto port = std::to_string(platform_.ready(node)["nats_port"].get<int>());
    const auto heard = plain_login(port);
    EXPECT_THAT(heard, HasSubstr("\"tls_required\":true")) << node;
    EXPECT_THAT(heard, Not(HasSubstr("PONG"))) << node;
  }
}

TEST_F(Channels, OfTheApiAreTlsForThoseWhoKnowTheRoot) {
  const auto context = sdk::load_context("vehicle");
  ASSERT_TRUE(context) << context.error().to_string();
  ASSERT_THAT(context->api_url, testing::StartsWith("https://127.0.0.1:"));
  EXPECT_TRUE(platform_.json({"status"}).is_object());
  const auto root = platform_.root() / "root.pem";
  ASSERT_TRUE(write_file(root, as_bytes(context->tls_root)));
  const auto there = authority_of(context->api_url);
  const auto named = "https://" + context->tls_server_name;
  const std::vector<std::string> curl{"curl", "-sS", "--connect-to", context->tls_server_name + ":443:" + there};
  const auto ask = [&](std::vector<std::string> more) {
    auto command = curl;
    command.insert(command.end(), more.begin(), more.end());
    return run(command);
  };
  const auto known = ask({"--cacert", root.string(), named + "/healthz"});
  EXPECT_EQ(known.exit_code, 0) << known.err;
  EXPECT_NE(ask({named + "/healthz"}).exit_code, 0) << "the system's roots know nothing of it";
  EXPECT_NE(ask({"--cacert", root.string(), "--tls-max", "1.2", named + "/healthz"}).exit_code, 0);
  EXPECT_NE(run({"curl", "-sS", "--cacert", root.string(), context->api_url + "/healthz"}).exit_code, 0)
      << "certificates have names, not addresses";
  EXPECT_THAT(run({"curl", "-sS", "http://" + there + "/healthz"}).out, HasSubstr("speaks HTTPS"));
}

TEST_F(Channels, OfTheApiAreRefusedByAClientWithAnotherRoot) {
  auto context = sdk::load_context("vehicle").value();
  // Some authority's root, of another key.
  const auto made = run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                         "-subj", "/CN=tcfdl authority", "-keyout", "/dev/null"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  context.tls_root = made.out;
  context.name = "other";
  ASSERT_TRUE(sdk::save_context(context, false));
  const auto refused = platform_.tcfdl({"status", "--context", "other"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("does not prove that it is vehicle.cluster.tcfdl.internal"));
}

} // namespace
} // namespace tcfdl::test
