// TLS between real processes: the message queues always, the API where it is asked for.
#include "support/platform.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <ifaddrs.h>
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

/// What a peer without TLS hears of a message queue: the announcement, and what follows a login.
std::string plain_login(const std::string& host, int port) {
  return run({"bash", "-c",
              fmt::format("exec 3<>/dev/tcp/{}/{}", host, port) +
                  R"(; head -n 1 <&3; printf 'CONNECT {"verbose":true}\r\nPING\r\n' >&3; timeout 5 cat <&3)"})
      .out;
}

class Channels : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(platform_.up(), ""); }

  [[nodiscard]] static std::string authority_of(const std::string& url) { return url.substr(url.find("//") + 2); }

  Platform platform_{kTlsTopology};
};

TEST_F(Channels, OfMessageQueuesAreTlsFromTheFirstConnectionOn) {
  ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
  EXPECT_EQ(platform_.invoke("echo", "over TLS").out, "over TLS");
  for (const auto* node : {"service-manager", "vehicle-master"}) {
    const auto heard = plain_login("127.0.0.1", platform_.ready(node)["nats_port"].get<int>());
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
  const auto now = SystemClock().now();
  const auto rogue = crypto::make_tls_root(crypto::SigningKey::generate(), "tcfdl.internal", {now - 10, now + 10'000});
  context.tls_root = crypto::to_pem(rogue.der(), "CERTIFICATE");
  context.name = "other";
  ASSERT_TRUE(sdk::save_context(context, false));
  const auto refused = platform_.tcfdl({"status", "--context", "other"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("does not prove that it is vehicle.cluster.tcfdl.internal"));
}

/// An IPv4 address of this machine that is not loopback; empty where there is none.
std::string own_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  std::string found;
  for (const auto* entry = all; entry != nullptr && found.empty(); entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto& address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    found = ::inet_ntop(AF_INET, &address, text.data(), text.size());
    if (found.starts_with("127.")) found.clear();
  }
  ::freeifaddrs(all);
  return found;
}

/// Daemons that were started by hand, as on machines of their own.
class Machines : public testing::Test {
protected:
  void SetUp() override {
    if (address_.empty()) GTEST_SKIP() << "this machine has no address but loopback";
    ::setenv("TCFDL_CONTEXT_DIR", (root_.path() / "contexts").c_str(), 1);
    EXPECT_TRUE(write_file(file("policy.yaml"), as_bytes("version: 1\nroles:\n"
                                                         "  master: {tee_kinds: {software: software}}\n"
                                                         "  worker: {tee_kinds: {software: software}}\n"
                                                         "  gateway: {tee_kinds: {software: software}}\n")));
    start("service-manager", "service-manager",
          fmt::format("nats_address: {}\npolicy: {}\ninitial_tokens: [{{role: master, cluster: far, file: {}}}]\n",
                      address_, file("policy.yaml"), file("master.token")));
    if (HasFatalFailure()) return;
    start("master", "far-master",
          fmt::format("cluster: far\nenrolment_token_file: {}\nnats_address: 0.0.0.0\nadvertise: {}\napi: {}:0\n"
                      "gateway: 0.0.0.0:0\ntasks: 0.0.0.0:0\nhost_instances: false\ntee: software\n",
                      file("master.token"), address_, address_));
    if (HasFatalFailure()) return;
    expect({"enrol", "--name", "operator", "--ready", file("far-master.ready")});
    expect({"token", "create", "--role", "worker", "--out", file("worker.token")});
  }

  [[nodiscard]] std::string file(const std::string& name) const { return (root_.path() / name).string(); }
  /// Writes a configuration; `more` beside what every daemon needs.
  std::string configure(const std::string& name, const std::string& more) {
    auto text = fmt::format("state: {}\nready_file: {}\n{}", file(name), file(name + ".ready"), more);
    EXPECT_TRUE(write_file(file(name + ".yaml"), as_bytes(text)));
    return file(name + ".yaml");
  }
  void start(const std::string& role, const std::string& name, const std::string& more) {
    daemons_.push_back(std::make_unique<Background>(
        std::vector<std::string>{Platform::binary("tcfdl"), role, "--config", configure(name, more)}, Environment{},
        file(name + ".log")));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(file(name + ".ready")); }))
        << read_text_file(file(name + ".log")).value_or("");
  }
  static std::string worker(const std::string& name, const std::string& token) {
    return fmt::format("node: {}\nenrolment_token_file: {}\ntee: software\n", name, token);
  }
  /// On a worker, which fetches it by the message queue.
  void deploy_echo() {
    start("worker", "far-worker", worker("far-worker", file("worker.token")));
    const auto function = file("echo.yaml");
    ASSERT_TRUE(
        write_file(function, as_bytes(fmt::format("name: echo\ncommand: [bin/echo]\nfiles: [{{source: {}, path: "
                                                  "bin/echo}}]\nprotection: [eae, hse]\n",
                                                  Platform::binary("examples-echo")))));
    expect({"function", "deploy", function});
  }
  [[nodiscard]] Finished call(const std::string& context, const std::string& protection,
                              const std::string& timeout = "20s") const {
    return tcfdl({"invoke", "echo", "--context", context, "--protection", protection, "--in", "-", "--out", "-",
                  "--timeout", timeout, "--receipt", file("receipt")},
                 "from elsewhere");
  }
  static Finished tcfdl(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), Platform::binary("tcfdl"));
    return run(arguments, {}, input);
  }
  static void expect(std::vector<std::string> arguments) {
    const auto finished = tcfdl(std::move(arguments));
    ASSERT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }
  void TearDown() override {
    while (!daemons_.empty()) { // workers before masters before the service manager
      daemons_.back()->signal(SIGTERM);
      EXPECT_EQ(daemons_.back()->wait(), 0);
      daemons_.pop_back();
    }
  }

  const std::string address_ = own_address();
  TemporaryDirectory root_;
  std::vector<std::unique_ptr<Background>> daemons_;
};

TEST_F(Machines, FormAClusterOverTheNetworkAndNothingOfItIsReadableThere) {
  deploy_echo();
  const auto answered = tcfdl({"invoke", "echo", "--in", "-", "--out", "-"}, "from afar");
  EXPECT_EQ(answered.out, "from afar") << answered.err;

  // A client with nothing but curl, by its certificate at the gateway.
  const auto written = tcfdl({"--json", "context", "tls", "--out", file("tls")});
  ASSERT_EQ(written.exit_code, 0) << written.err;
  const auto ready = Json::parse(read_text_file(file("far-master.ready")).value());
  const auto gateway = ready["gateway_url"].get<std::string>();
  ASSERT_THAT(gateway, testing::StartsWith("https://" + address_));
  const auto name = Json::parse(written.out)["gateway_server_name"].get<std::string>();
  const auto curled = run({"curl", "-sS", "--cacert", file("tls/root.pem"), "--cert", file("tls/cert.pem"), "--key",
                           file("tls/key.pem"), "--connect-to", name + ":443:" + gateway.substr(8), "--data-binary",
                           "from curl", "https://" + name + "/v1/functions/echo/invoke"});
  EXPECT_EQ(curled.out, "from curl") << curled.err;

  EXPECT_THAT(ready["api_url"].get<std::string>(), testing::StartsWith("https://" + address_));
  for (const auto* daemon : {"service-manager", "far-master"}) {
    const auto port = Json::parse(read_text_file(file(std::string(daemon) + ".ready")).value())["nats_port"].get<int>();
    const auto heard = plain_login(address_, port);
    EXPECT_THAT(heard, HasSubstr("\"tls_required\":true")) << daemon;
    EXPECT_THAT(heard, Not(HasSubstr("PONG"))) << daemon;
  }
}

TEST_F(Machines, AreCalledFromOthersWithAnEnrolmentTokenAlone) {
  deploy_echo();
  expect({"token", "create", "--role", "client", "--grant", "echo", "--out", file("anna.token")});
  const auto ready = Json::parse(read_text_file(file("far-master.ready")).value());
  expect({"enrol", "--token", file("anna.token"), "--name", "anna", "--api", ready["api_url"].get<std::string>(),
          "--api-token", ready["api_token"].get<std::string>()});
  const auto anna = sdk::load_context("anna").value();
  ASSERT_THAT(anna.tasks_address, testing::StartsWith("tls:" + address_));
  for (const auto* protection : {"eae", "hse"}) {
    const auto called = call("anna", protection);
    EXPECT_EQ(called.out, "from elsewhere") << called.err;
    const auto receipt = Json::parse(tcfdl({"--json", "receipt", "verify", file("receipt"), "--context", "anna"}).out);
    EXPECT_EQ(receipt["receipt"]["claimed_route"]["way"], std::string_view(protection) == "eae" ? "relay" : "proxies");
  }

  auto deceived = anna;
  deceived.name = "deceived";
  const auto now = SystemClock().now();
  const auto rogue = crypto::make_tls_root(crypto::SigningKey::generate(), "tcfdl.internal", {now - 10, now + 10'000});
  deceived.tls_root = crypto::to_pem(rogue.der(), "CERTIFICATE");
  ASSERT_TRUE(sdk::save_context(deceived, false));
  EXPECT_THAT(call("deceived", "eae").err, HasSubstr("UNAUTHENTICATED"));

  auto plain = anna;
  plain.name = "plain";
  plain.tasks_address = "tcp:" + anna.tasks_address.substr(4);
  ASSERT_TRUE(sdk::save_context(plain, false));
  EXPECT_NE(call("plain", "eae", "3s").exit_code, 0);

  expect({"client", "revoke", "anna", "--context", "operator"});
  EXPECT_TRUE(eventually([&] { return call("anna", "eae").exit_code != 0; }));
}

TEST_F(Machines, RefuseAWorkerWhoseTokenNamesAnotherRoot) {
  // The same token, but the root in it is of somebody else's key: what a man in the middle would have to show.
  auto token = read_text_file(file("worker.token")).value();
  token.resize(token.find_last_not_of('\n') + 1);
  const auto dot = token.rfind('.');
  auto entrance = Json::parse(as_text(from_base64url(token.substr(dot + 1)).value()));
  const auto rogue = crypto::SigningKey::generate();
  const auto now = SystemClock().now();
  entrance["root"] = to_base64url(crypto::make_tls_root(rogue, "tcfdl.internal", {now - 10, now + 10'000}).der());
  const auto forged = token.substr(0, dot + 1) + to_base64url(as_bytes(entrance.dump()));
  ASSERT_TRUE(write_file(file("forged.token"), as_bytes(forged)));
  const auto refused = tcfdl({"worker", "--config", configure("forged", worker("forged", file("forged.token")))});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("UNAUTHENTICATED"));

  // The right root, and a server that has another name: the service manager's in place of the master's.
  auto elsewhere = Json::parse(as_text(from_base64url(token.substr(dot + 1)).value()));
  elsewhere["port"] = Json::parse(read_text_file(file("service-manager.ready")).value())["nats_port"];
  ASSERT_TRUE(
      write_file(file("moved.token"), as_bytes(token.substr(0, dot + 1) + to_base64url(as_bytes(elsewhere.dump())))));
  const auto moved = tcfdl({"worker", "--config", configure("moved", worker("moved", file("moved.token")))});
  EXPECT_NE(moved.exit_code, 0);
  EXPECT_THAT(moved.err, HasSubstr("far.cluster.tcfdl.internal"));
}

TEST_F(Machines, DoNotServeTheNetworkWithoutTls) {
  const auto common = fmt::format("cluster: open\ntee: software\nenrolment_token_file: {}\n", file("worker.token"));
  for (const auto& line :
       {fmt::format("api: {}:0\napi_tls: false\n", address_), fmt::format("tasks: {}:0\ntasks_tls: false\n", address_),
        fmt::format("gateway: {}:0\ngateway_tls: false\n", address_)}) {
    const auto refused = tcfdl({"master", "--config", configure("open", common + line)});
    EXPECT_NE(refused.exit_code, 0) << line;
    EXPECT_THAT(refused.err, HasSubstr(address_)) << line;
    EXPECT_THAT(refused.err, HasSubstr("TLS")) << line;
  }
}

} // namespace
} // namespace tcfdl::test
