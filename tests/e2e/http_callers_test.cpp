// Callers with nothing but HTTPS, by the certificate of a client: at the gateway and at the API, with curl.
#include "support/platform.hpp"

#include "base/clock.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <sdk/context.hpp>

namespace tcfdl::test {
namespace {

using testing::HasSubstr;

constexpr const char* kHttpsTopology = R"(clusters:
  - name: local
    api_tls: true
    gateway_tls: true
    workers: [worker-1]
)";

/// What curl got: the status (0 without one) and the body, or its complaint.
struct Curled {
  int status = 0;
  std::string text;
};

class HttpCallers : public testing::Test {
protected:
  explicit HttpCallers(const std::string& topology = kHttpsTopology) : platform_(topology) {}
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
    owner_ = sdk::load_context("local").value();
    ASSERT_EQ(platform_.enrol("anna", {"other"}).exit_code, 0);
    expect({"--context", "anna", "context", "tls", "--out", directory("anna").string()});
  }
  void expect(std::vector<std::string> arguments) {
    const auto finished = platform_.tcfdl(std::move(arguments));
    ASSERT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }
  [[nodiscard]] std::filesystem::path directory(const std::string& client) const { return platform_.root() / client; }

  /// Without `client` no certificate is shown.
  [[nodiscard]] Curled curl(const std::string& name, const std::string& url, const std::string& client,
                            const std::string& path, std::vector<std::string> more = {}) const {
    std::vector<std::string> command{"curl",
                                     "-sS",
                                     "-w",
                                     "\n%{http_code}",
                                     "--connect-to",
                                     name + ":443:" + url.substr(url.find("//") + 2),
                                     "--cacert",
                                     (directory("anna") / "root.pem").string(),
                                     "https://" + name + path};
    if (!client.empty()) {
      more.insert(more.end(), {"--cert", (directory(client) / "cert.pem").string(), "--key",
                               (directory(client) / "key.pem").string()});
    }
    command.insert(command.end(), more.begin(), more.end());
    const auto finished = run(command);
    const auto line = finished.out.rfind('\n');
    return {std::stoi(finished.out.substr(line + 1)), finished.out.substr(0, line) + finished.err};
  }
  [[nodiscard]] Curled gateway(const std::string& client, const std::string& path,
                               std::vector<std::string> more = {}) const {
    return curl("local.gateway.tcfdl.internal", owner_.gateway_url, client, path, std::move(more));
  }
  [[nodiscard]] Curled call(const std::string& client, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--data-binary", "hello"});
    return gateway(client, "/v1/functions/echo/invoke", std::move(more));
  }
  [[nodiscard]] Curled ask(const std::string& client, const std::string& path,
                           std::vector<std::string> more = {}) const {
    return curl(owner_.tls_server_name, owner_.api_url, client, path, std::move(more));
  }
  /// Whether the call of anna gets that status within two seconds.
  [[nodiscard]] bool soon(int status) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (call("anna").status != status) {
      if (std::chrono::steady_clock::now() > until) return false;
    }
    return true;
  }
  /// Whether the audit log has the call of echo at the gateway as refused.
  [[nodiscard]] bool is_recorded(const std::string& who, const std::string& role, const std::string& outcome) {
    const auto records = platform_.json({"audit"}).value("records", Json::array());
    return std::ranges::any_of(records, [&](const Json& record) {
      return record["who"] == who && record["role"] == role && record["from"] == "127.0.0.1 at gateway-local-master" &&
             record["action"] == "POST" && record["object"] == "/v1/functions/echo/invoke" &&
             record["allowed"] == false && record["outcome"] == outcome;
    });
  }
  static std::vector<std::string> token(const std::string& text) { return {"-H", "Authorization: Bearer " + text}; }

  Platform platform_;
  sdk::Context owner_;
};

TEST_F(HttpCallers, MayCallWhatTheyAreGrantedAsLongAsTheyAre) {
  ASSERT_THAT(owner_.gateway_url, testing::StartsWith("https://"));
  const auto ungranted = call("anna");
  EXPECT_EQ(ungranted.status, 403) << ungranted.text;
  EXPECT_THAT(ungranted.text, HasSubstr("anna has no grant to call echo"));
  EXPECT_EQ(call("").status, 401);
  EXPECT_EQ(call("", token(owner_.gateway_token)).text, "hello") << "the owner's token calls everything";
  EXPECT_TRUE(eventually([&] { return is_recorded("anna", "client", "403"); }));
  EXPECT_TRUE(eventually([&] { return is_recorded("", "", "401"); }));

  expect({"grant", "add", "anna", "echo"});
  EXPECT_TRUE(soon(200)) << "with the certificate from before";
  EXPECT_EQ(call("anna").text, "hello");
  expect({"--context", "anna", "context", "tls", "--out", directory("anna").string()});
  EXPECT_EQ(call("anna").text, "hello");
  expect({"grant", "remove", "anna", "echo"});
  EXPECT_TRUE(soon(403)) << "with the certificate that names the grant";

  expect({"grant", "add", "anna", "echo"});
  EXPECT_TRUE(soon(200));
  expect({"client", "revoke", "anna"});
  EXPECT_TRUE(soon(401));
  EXPECT_THAT(call("anna").text, HasSubstr("the key of anna is revoked"));
  EXPECT_EQ(ask("anna", "/v1/status").status, 401);
}

/// Calls of one client are counted by the master as its own, whatever others call by the same gateway.
class HurriedHttpCallers : public HttpCallers {
protected:
  HurriedHttpCallers() : HttpCallers(std::string(kHttpsTopology) + "    calls_per_second: 1\n") {}
};

TEST_F(HurriedHttpCallers, AreCountedEachByName) {
  expect({"grant", "add", "anna", "echo"});
  EXPECT_TRUE(eventually([&] { return call("anna").status == 429; }));
  EXPECT_EQ(call("", token(owner_.gateway_token)).text, "hello") << "anna's calls are not the owner's";
  const auto told = [&] {
    const auto records = platform_.json({"audit"}).value("records", Json::array());
    return std::ranges::any_of(records, [](const Json& r) {
      return r["who"] == "gateway-local-master for anna" && r["action"] == "CALL" && r["allowed"] == false;
    });
  };
  EXPECT_TRUE(eventually(told));
}

TEST_F(HttpCallers, LeaveTasksWhoseResultsOutliveTheGateway) {
  expect({"grant", "add", "anna", "echo"});
  ASSERT_TRUE(soon(200));
  const auto left = gateway("anna", "/v1/functions/echo/tasks", {"--data-binary", "hello"});
  ASSERT_EQ(left.status, 202) << left.text;
  const auto url = Json::parse(left.text).at("url").get<std::string>();
  const auto id = Json::parse(left.text).at("task_id").get<std::string>();
  EXPECT_EQ(gateway("anna", url + "?wait=20s").text, "hello");
  EXPECT_EQ(gateway("", url, token(owner_.gateway_token)).status, 404) << "the URL serves its owner alone";

  for (const auto pid : platform_.instances("tcfdl-gateway")) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] { return gateway("anna", url).text == "hello"; })) << gateway("anna", url).text;
  const auto without_key = gateway("anna", "/v1/tasks/" + id);
  EXPECT_EQ(without_key.status, 400);
  EXPECT_THAT(without_key.text, HasSubstr("the key that came with the submission"));
  EXPECT_THAT(gateway("anna", "/v1/tasks").text, HasSubstr(id));
  EXPECT_EQ(gateway("anna", "/v1/functions/other/tasks", {"--data-binary", "hello"}).status, 404);
  EXPECT_EQ(gateway("anna", "/v1/functions/slow/tasks", {"--data-binary", "hello"}).status, 403) << "not granted";
}

TEST_F(HttpCallers, OfAnotherAuthorityDoNotPassTls) {
  const auto now = SystemClock().now();
  const auto rogue = crypto::SigningKey::generate();
  const auto root = crypto::make_tls_root(rogue, "tcfdl.internal", {now - 100, now + 1000});
  const auto leaf = crypto::issue_tls_certificate(
      rogue, root, {rogue.public_key(), {"anna.local.client.tcfdl.internal"}, {now - 100, now + 1000}});
  ASSERT_TRUE(make_private_directory(directory("rogue")));
  ASSERT_TRUE(write_file(directory("rogue") / "cert.pem", as_bytes(crypto::to_pem(leaf.value().der(), "CERTIFICATE"))));
  ASSERT_TRUE(write_file(directory("rogue") / "key.pem", crypto::private_key_pem(rogue).span()));
  EXPECT_EQ(call("rogue").status, 0);
  EXPECT_EQ(ask("rogue", "/healthz").status, 0);
  EXPECT_EQ(ask("", "/healthz").status, 200);
}

TEST_F(HttpCallers, AreAtTheApiWhomTheAdminMakesThem) {
  EXPECT_EQ(ask("anna", "/v1/functions").status, 200);
  const auto refused = ask("anna", "/v1/functions/echo", {"-X", "DELETE"});
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.text, HasSubstr("client:anna has the role caller"));
  expect({"access", "create", "client:anna", "--role", "deployer"});
  EXPECT_EQ(ask("anna", "/v1/functions/echo", {"-X", "DELETE"}).status, 204);
  EXPECT_EQ(ask("anna", "/v1/audit").status, 403);
  EXPECT_EQ(ask("anna", "/v1/functions", token("wrong")).status, 401) << "a token counts before a certificate";
  const auto records = platform_.json({"audit"})["records"];
  const auto is_annas = [](const Json& record) {
    return record["who"] == "client:anna" && record["action"] == "DELETE" && record["allowed"] == true;
  };
  EXPECT_TRUE(std::ranges::any_of(records, is_annas)) << records.dump();
  expect({"access", "revoke", "client:anna"});
  EXPECT_EQ(ask("anna", "/v1/functions/echo", {"-X", "DELETE"}).status, 403);
}

TEST_F(HttpCallers, ShowTheirCertificateByTheCommandLineInPlaceOfAToken) {
  expect({"access", "create", "client:anna", "--role", "deployer"});
  expect({"--context", "anna", "context", "tls", "--for-api"});
  const auto anna = sdk::load_context("anna").value();
  EXPECT_EQ(anna.api_token, "");
  EXPECT_THAT(anna.tls_certificate, HasSubstr("BEGIN CERTIFICATE"));
  expect({"--context", "anna", "function", "list"});
  expect({"--context", "anna", "function", "remove", "echo"});
  const auto refused = platform_.tcfdl({"--context", "anna", "audit"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("client:anna has the role deployer"));
  const auto records = platform_.json({"audit"})["records"];
  const auto is_annas = [](const Json& record) {
    return record["who"] == "client:anna" && record["action"] == "DELETE" && record["allowed"] == true;
  };
  EXPECT_TRUE(std::ranges::any_of(records, is_annas)) << records.dump();
  expect({"client", "revoke", "anna"});
  EXPECT_TRUE(eventually([&] {
    return platform_.tcfdl({"--context", "anna", "function", "list"}).err.find("UNAUTHENTICATED") != std::string::npos;
  }));
}

TEST_F(HttpCallers, AskForAnApiInTlsBeforeTheyShowACertificate) {
  auto plain = sdk::load_context("anna").value();
  plain.name = "plain";
  plain.api_url = "http://127.0.0.1:1";
  ASSERT_TRUE(sdk::save_context(plain, false));
  const auto refused = platform_.tcfdl({"--context", "plain", "context", "tls", "--for-api"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("shown in TLS alone"));
  EXPECT_EQ(platform_.tcfdl({"--context", "anna", "context", "tls"}).exit_code, 2);
}

/// Certificates end while the test runs.
class HttpCallersOverTime : public HttpCallers {
protected:
  HttpCallersOverTime() : HttpCallers(std::string("certificate_lifetime: 20s\n") + kHttpsTopology) {}
  [[nodiscard]] crypto::Certificate certificate() const {
    return crypto::Certificate::parse(read_file(directory("anna") / "cert.pem").value()).value();
  }
};

TEST_F(HttpCallersOverTime, HaveFilesAndContextRenewedInTime) {
  expect({"grant", "add", "anna", "echo"});
  expect({"--context", "anna", "context", "tls", "--for-api"});
  const Background watching({Platform::binary("tcfdl"), "--context", "anna", "context", "tls", "--out",
                             directory("anna").string(), "--watch"},
                            platform_.environment(), (platform_.root() / "watch.log").string());
  const auto first = certificate().validity();
  ASSERT_TRUE(eventually([&] { return SystemClock().now() > first.not_after; }));
  EXPECT_GT(certificate().validity().not_after, first.not_after);
  EXPECT_TRUE(eventually([&] { return call("anna").text == "hello"; }));
  const auto listed = platform_.tcfdl({"--context", "anna", "function", "list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  watching.signal(SIGTERM);
}

} // namespace
} // namespace tcfdl::test
