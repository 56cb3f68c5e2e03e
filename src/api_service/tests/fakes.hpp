// Ports by hand, and a service on a loopback port of its own.
#pragma once

#include "api_service/api_service.hpp"
#include "base/encoding.hpp"
#include "base/guarded.hpp"
#include "http/client.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <gtest/gtest.h>
#include <map>

namespace tcfdl::api_service {

class FakeFunctions final : public Functions {
public:
  Result<Json> list() override { return Json::array({{{"name", "plates/read"}}}); }
  Result<Json> get(const FunctionName& name) override {
    if (name.str() != "plates/read") return make_error(Code::kNotFound, "no function {}", name);
    return Json{{"name", name.str()}};
  }
  Result<Deployed> deploy(const Deployment& deployment) override {
    last = deployment;
    return Deployed{created, Json{{"name", "plates/read"}}};
  }
  Result<Json> set_scale(const FunctionName& name, const ScaleChange& change) override {
    scaled = change;
    return get(name);
  }
  Status remove(const FunctionName& name) override {
    removed = name.str();
    return {};
  }
  Result<Json> rotate_key(const FunctionName& name, std::chrono::seconds overlap) override {
    return Json{{"name", name.str()}, {"epoch", 2}, {"until", overlap.count()}};
  }
  Result<Json> seal_key() override { return Json{{"seal_key", "AAAA"}}; }
  std::optional<Deployment> last;
  std::optional<ScaleChange> scaled;
  bool created = true;
  std::string removed;
};

/// Takes any content whose digest is 64 times its first digit.
class FakeArtefacts final : public Artefacts {
public:
  Result<bool> contains(const std::string& digest) override { return files.contains(digest); }
  Status put(const std::string& digest, BytesView content) override {
    if (content.empty() || digest != std::string(64, static_cast<char>(content.front()))) {
      return Error(Code::kInvalidArgument, "the content has another digest");
    }
    files[digest] = Bytes(content.begin(), content.end());
    return {};
  }
  Result<Bytes> get(const std::string& digest) override {
    if (!files.contains(digest)) return Error(Code::kNotFound, "no such artefact");
    return files[digest];
  }
  std::map<std::string, Bytes> files;
};

class FakeCluster final : public Cluster {
public:
  Result<Json> status() override {
    if (failure) return *failure;
    return Json{{"cluster", "roadside"}};
  }
  Result<Json> attestation_result(const std::string& subject, BytesView nonce) override {
    if (failure) return *failure;
    return Json{{"subject", subject}, {"token", to_hex(nonce)}};
  }
  Result<Json> set_drained(const std::string& node, bool drained) override {
    return Json{{"node", node}, {"drained", drained}};
  }
  std::optional<Error> failure;
};

class FakeLogs final : public Logs {
public:
  Result<Json> read(const FunctionName& name, std::size_t bytes) override {
    return Json::array({{{"instance", name.str()}, {"text", std::to_string(bytes)}}});
  }
  Result<std::unique_ptr<LogFollower>> follow(const FunctionName& name, std::size_t bytes) override {
    if (name.str() == "kept") return Error(Code::kPermissionDenied, "kept keeps its output inside the TEE");
    return std::make_unique<Follower>(name.str() + " " + std::to_string(bytes));
  }

private:
  /// Says three times what is new, the third time after a while, then that nothing comes any more.
  class Follower final : public LogFollower {
  public:
    explicit Follower(std::string text) : text_(std::move(text)) {}
    std::optional<Json> next(const std::stop_token& /*gone*/) override {
      if (++told_ > 4) return std::nullopt;
      auto logs = Json::array();
      if (told_ != 3) logs.push_back({{"instance", "i" + std::to_string(told_)}, {"text", text_}});
      return logs;
    }

  private:
    const std::string text_;
    int told_ = 0;
  };
};

class FakeTokens final : public Tokens {
public:
  Result<IssuedToken> create(const TokenRequest& request) override {
    last = request;
    return IssuedToken{"secret", 1234};
  }
  std::optional<TokenRequest> last;
};

class FakeAccess final : public Access {
public:
  Result<IssuedToken> grant(const AccessRequest& request) override {
    last = request;
    return IssuedToken{"secret", 1234};
  }
  Result<Json> principals() override { return Json::array({{{"name", "ann"}, {"role", "viewer"}}}); }
  Status revoke(const std::string& name) override {
    if (name != "bob") return {};
    return Error(Code::kNotFound, "nobody of that name");
  }
  Result<Json> records(std::int64_t limit) override { return Json::array({{{"number", limit}}}); }
  std::optional<AccessRequest> last;
};

class FakeEnrolment final : public Enrolment {
public:
  Result<wire::AuthorityReply> enrol(const wire::AuthorityRequest& request) override {
    wire::AuthorityReply reply;
    reply.mutable_enrol()->set_authority_key(request.enrol().name());
    return reply;
  }
  Status revoke_node(const std::string& node) override {
    revoked = node;
    return {};
  }
  Status revoke_instance(const std::string& instance) override {
    revoked = "instance " + instance;
    return {};
  }
  Status revoke_client(const std::string& client) override {
    revoked = "client " + client;
    return {};
  }
  Result<Json> certificate_of_now(const wire::Signed& unverified) override {
    return Json{{"certificate", unverified.statement()}, {"tls_chain", Json::array()}};
  }
  Result<Json> clients() override { return Json::array({{{"name", "bob"}, {"grants", {"echo"}}, {"enrolled", 1}}}); }
  Result<Json> change_grants(const wire::ChangeGrants& change) override {
    if (change.client() != "bob") return Error(Code::kNotFound, "no such client");
    changed = change;
    return Json{{"name", "bob"}, {"grants", {"echo"}}, {"enrolled", 1}};
  }
  wire::ChangeGrants changed;
  std::string revoked;
};

class FakeMetrics final : public Metrics {
public:
  std::string text() override { return "tcfdl_tasks_total 3\n"; }
};

class FakeHealth final : public Health {
public:
  HealthState state() override { return value; }
  std::atomic<HealthState> value = HealthState::kOk;
};

/// One topic, `plates/seen`, once it was put.
class FakeTopics final : public Topics {
public:
  Result<Json> topics() override { return there ? Json::array({{{"name", "plates/seen"}}}) : Json::array(); }
  Result<Json> topic(const FunctionName& name) override {
    if (there && name.str() == "plates/seen") return Json{{"name", name.str()}};
    return make_error(Code::kNotFound, "there is no topic {}", name.str());
  }
  Result<Json> put_topic(const wire::Signed& unverified) override {
    put = unverified;
    there = true;
    return Json{{"name", "plates/seen"}};
  }
  Status remove_topic(const FunctionName& name) override {
    TCFDL_TRY(topic(name));
    there = false;
    return {};
  }
  std::atomic<bool> there = false;
  wire::Signed put;
};

class ApiTest : public testing::Test {
public:
  void SetUp() override { ASSERT_TRUE(service.start()); }

  http::Response send(http::Request request, const std::string& token = "t0ken") const {
    http::Client client({.port = service.port(), .token = token});
    auto response = client.send(std::move(request), Deadline::after(std::chrono::seconds(10)));
    EXPECT_TRUE(response) << response.error().to_string();
    return response ? *std::move(response) : http::Response::empty(0);
  }
  http::Response get(const std::string& target) const { return send(http::Request::make("GET", target)); }
  http::Response post(const std::string& target, std::string_view body) const {
    return send(http::Request::make("POST", target, body));
  }
  static Json document(const http::Response& response) {
    auto parsed = http::parse_json(response.body);
    return parsed ? *std::move(parsed) : Json();
  }

  /// The token of an admin is `t0ken`; else a token is the name of a level.
  static std::optional<http::Caller> who(std::string_view token) {
    const std::map<std::string_view, Level> levels{{"t0ken", Level::kAdmin},
                                                   {"deployer", Level::kDeployer},
                                                   {"caller", Level::kCaller},
                                                   {"viewer", Level::kViewer}};
    const auto found = levels.find(token);
    if (found == levels.end()) return std::nullopt;
    return http::Caller{std::string(token), "role", static_cast<int>(found->second)};
  }

  FakeFunctions functions;
  FakeArtefacts artefacts;
  FakeCluster cluster;
  FakeLogs logs;
  FakeTokens tokens;
  FakeAccess access;
  FakeEnrolment enrolment;
  FakeMetrics metrics;
  FakeHealth health;
  FakeTopics topics;
  ApiService service{{.server = {.authenticate = who},
                      .cluster = "roadside",
                      .gateway_url = "http://127.0.0.1:7777",
                      .largest_artefact = 1000},
                     {functions, artefacts, cluster, logs, tokens, access, enrolment, metrics, health, topics}};
};

} // namespace tcfdl::api_service
