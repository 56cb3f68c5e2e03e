// Canaries in body and result, looked for where nobody may see them: on every message queue, on disk, in logs, in the
// memory of masters, workers and brokers. The same search finds them when there is no protection.
#include "base/encoding.hpp"
#include "base/guarded.hpp"
#include "base/ids.hpp"
#include "insider.hpp"
#include "sdk/capsule_session.hpp"
#include "sdk/task_manager_client.hpp"
#include "support/search.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <sdk/context.hpp>
#include <tcfdl/client.hpp>
#include <thread>

namespace tcfdl::test {
namespace {

constexpr const char* kSecrecyTopology = R"(clusters:
  - name: vehicle
    host_instances: false
  - name: roadside
    workers: [rsu-1]
)";

/// Hears everything on one message queue, as nobody may in earnest: with the key of its account, out of the authority.
class Sniffer {
public:
  Sniffer(const Platform& platform, const std::string& node, const message_queue::Nkey& account)
      : bus_(connect_insider(platform, node, account, {.publish = {}, .subscribe = {">"}})) {
    auto subscription = bus_->subscribe(">", [this](const message_queue::Message& message) {
      heard_.with([&](std::string& text) {
        text += message.subject;
        text += as_text(message.data);
      });
    });
    if (!subscription) throw std::runtime_error(subscription.error().to_string());
    subscription_ = *std::move(subscription);
  }
  [[nodiscard]] bool heard(const std::string& needle) const {
    return heard_.with([&](const std::string& text) { return text.contains(needle); });
  }
  [[nodiscard]] bool heard_anything() const {
    return heard_.with([](const std::string& text) { return !text.empty(); });
  }

private:
  Guarded<std::string> heard_;
  std::unique_ptr<message_queue::NatsBus> bus_;
  message_queue::Subscription subscription_;
};

class Secrecy : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    const auto deployed = platform_.deploy("echo", "examples-echo", "", {}, "roadside");
    ASSERT_EQ(deployed.exit_code, 0) << deployed.err;
    for (const auto* name : {"vehicle-master", "roadside-master", "rsu-1"})
      hosts_.push_back(platform_.ready(name)["pid"].get<pid_t>());
    for (const auto pid : platform_.pids("nats-server", platform_.state().string())) hosts_.push_back(pid);
    ASSERT_GE(hosts_.size(), 6U);
    AuthorityCopy authority(platform_);
    for (const auto& [node, account] : {std::pair{"service-manager", "_service_manager"},
                                        {"vehicle-master", "vehicle"},
                                        {"roadside-master", "roadside"}}) {
      sniffers_.push_back(std::make_unique<Sniffer>(platform_, node, authority.account_key(account)));
    }
  }

  /// Calls with the body through SDK, command line and HTTP, from the other cluster.
  void call_every_way(const std::string& body, Protection protection) {
    const std::string name(protection_name(protection));
    auto client = Client::connect("vehicle");
    ASSERT_TRUE(client);
    CallOptions options;
    options.protection = protection;
    const auto result = (*client)->call("echo", as_bytes(body), options);
    ASSERT_TRUE(result) << result.error().to_string();
    ASSERT_EQ(as_text(result->body), body);
    const auto piped = platform_.tcfdl(
        {"invoke", "echo", "--context", "vehicle", "--protection", name, "--in", "-", "--out", "-"}, body);
    ASSERT_EQ(piped.out, body) << piped.err;
    const auto context = sdk::load_context("vehicle");
    ASSERT_TRUE(context);
    const auto http = run({"curl", "-sS", "-H", "Authorization: Bearer " + context->gateway_token, "--data-binary",
                           "@-", context->gateway_url + "/v1/functions/echo/invoke?protection=" + name},
                          {}, body);
    ASSERT_EQ(http.out, body) << http.err;
  }

  /// Keys that no host may hold: of the client and the proxies, and what a call needs: x of the caller, f of the
  /// function, RK(i→f) of the entry proxy, and the key of a capsule that went through it.
  std::vector<std::string> secret_keys() {
    std::vector<std::string> keys;
    const auto context = sdk::load_context("vehicle").value();
    for (const auto& text : {context.signing_key, context.seal_key})
      keys.emplace_back(as_text(from_base64url(text).value()));
    for (const auto* node : {"vehicle-master", "roadside-master", "rsu-1"}) {
      const auto bytes = read_file(platform_.state() / "nodes" / node / "proxy" / "proxy.keys").value();
      for (std::size_t at = 0; at + 32 <= bytes.size(); at += 32)
        keys.emplace_back(as_text(BytesView(bytes).subspan(at, 32)));
    }
    const SystemClock clock;
    const auto identity = sdk::identity_of(context).value();
    sdk::TaskManagerClient entry(sdk::connector_to(wire::parse_address(context.tasks_address).value()),
                                 context.tasks_token, identity);
    wire::ProxyRequest request;
    request.mutable_sender_keys()->set_function("echo");
    *request.mutable_sender_keys()->mutable_certificate() = identity.certificate.get();
    const auto deadline = Deadline::after(std::chrono::seconds(20));
    const auto reply = entry.request(request, deadline).value();
    wire::KeyScope scope;
    const auto x =
        sdk::open_key_package(identity, reply.sender_key(), wire::KEY_ROLE_SENDER, clock.now(), scope).value();
    AuthorityCopy authority(platform_);
    const auto f = authority.keys().function_key({scope.function(), scope.assurance(), scope.epoch()}).value();
    sdk::CapsuleSession session(identity, entry, clock);
    const auto capsule = session.get("echo", scope.assurance(), scope.epoch(), deadline).value();
    for (const auto* scalar : {&x, &f}) keys.emplace_back(as_text(scalar->to_bytes().span()));
    keys.emplace_back(as_text(crypto::reencryption_key(x, f).to_bytes().span()));
    keys.emplace_back(as_text(capsule->secret.key.span()));
    return keys;
  }

  Platform platform_{kSecrecyTopology};
  std::vector<pid_t> hosts_;
  std::vector<std::unique_ptr<Sniffer>> sniffers_;
};

TEST_F(Secrecy, NobodyOnTheWaySeesBodiesOrKeys) {
  // Random, so that no build artefact holds it; long, so that chance does not.
  const auto canary = make_uuid() + make_uuid();
  std::string body;
  while (body.size() < 200'000) body += canary;
  call_every_way(body, Protection::kEae);
  for (const auto pid : hosts_)
    EXPECT_FALSE(memory_has(pid, canary)) << "process " << pid << " has the body in its memory";
  EXPECT_EQ(files_with(platform_.state(), canary), std::vector<std::string>());
  for (const auto& sniffer : sniffers_) {
    EXPECT_TRUE(sniffer->heard_anything());
    EXPECT_FALSE(sniffer->heard(canary)) << "the body is on a message queue";
  }
  for (const auto& key : secret_keys()) {
    ASSERT_GE(key.size(), 16U);
    for (const auto pid : hosts_) EXPECT_FALSE(memory_has(pid, key)) << "process " << pid << " has a secret key";
    for (const auto& sniffer : sniffers_) EXPECT_FALSE(sniffer->heard(key)) << "a secret key is on a message queue";
  }
}

TEST_F(Secrecy, OnlyProxiesOpenWhatIsProtectedHopByHop) {
  const auto canary = make_uuid() + make_uuid();
  std::string body;
  while (body.size() < 200'000) body += canary;
  call_every_way(body, Protection::kHse);
  for (const auto pid : hosts_)
    EXPECT_FALSE(memory_has(pid, canary)) << "process " << pid << " has the body in its memory";
  EXPECT_EQ(files_with(platform_.state(), canary), std::vector<std::string>());
  for (const auto& sniffer : sniffers_) {
    EXPECT_TRUE(sniffer->heard_anything());
    EXPECT_FALSE(sniffer->heard(canary)) << "the body is on a message queue";
  }
}

TEST_F(Secrecy, TheSameSearchFindsAnUnprotectedBody) {
  const auto canary = make_uuid() + make_uuid();
  std::string body;
  while (body.size() < 200'000) body += canary;
  call_every_way(body, Protection::kNone);
  EXPECT_TRUE(std::ranges::any_of(hosts_, [&](pid_t pid) { return memory_has(pid, canary); }));
  EXPECT_TRUE(std::ranges::any_of(sniffers_, [&](const auto& sniffer) { return sniffer->heard(canary); }));
}

} // namespace
} // namespace tcfdl::test
