// An instance that serves tasks, and callers of it, with all the keys that the platform would give them.
#pragma once

#include "base/guarded.hpp"
#include "sdk/exchange.hpp"
#include "sdk/task_server.hpp"
#include "wire/tests/pipe.hpp"

#include <gtest/gtest.h>
#include <thread>

namespace tcfdl::sdk {

using std::chrono::seconds;

inline std::int64_t now_seconds() { return SystemClock().now(); }

inline wire::KeyScope scope(const std::string& holder, const crypto::SigningKey& key) {
  wire::KeyScope result;
  result.set_function("echo");
  result.set_assurance("software");
  result.set_epoch(1);
  result.set_holder(holder);
  result.set_holder_verify_key(wire::field(key.public_key().bytes()));
  return result;
}

/// The instance's proxy: finishes capsules, and counts them.
class FinishingProxy final : public Proxy {
public:
  FinishingProxy(crypto::Scalar rk, wire::KeyScope key_scope, crypto::VerifyKey authority)
      : authority_(std::move(authority)) {
    add(std::move(rk), std::move(key_scope));
  }
  void add(crypto::Scalar rk, wire::KeyScope key_scope) {
    const auto epoch = key_scope.epoch();
    keys_.insert_or_assign(epoch, wire::ProxyKey{std::move(rk), std::move(key_scope)});
  }
  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline) override {
    ++asked;
    if (request.has_renew()) return renewal;
    wire::ProxyReply reply;
    const auto epoch = wire::capsule_header_unverified(request.finish()).value().epoch();
    TCFDL_ASSIGN(*reply.mutable_capsule(),
                 wire::finish_capsule(request.finish(), keys_.at(epoch), authority_, now_seconds()));
    if (lies) *reply.mutable_capsule() = request.finish();
    return reply;
  }
  std::atomic<int> asked = 0;
  bool lies = false; ///< gives EK2 back as it came
  Result<wire::ProxyReply> renewal = Error(Code::kUnavailable, "no keys of another epoch");

private:
  std::map<std::uint32_t, wire::ProxyKey> keys_;
  crypto::VerifyKey authority_;
};

class Events final : public TaskEvents {
public:
  void report(const wire::TaskEvent& event) override {
    events_.with([&](auto& events) { events.push_back(event); });
  }
  std::vector<wire::TaskEvent> all() const {
    return events_.with([](const auto& events) { return events; });
  }

private:
  Guarded<std::vector<wire::TaskEvent>> events_;
};

class NoClient final : public Client {
public:
  using Client::call;
  Result<CallReport> call(const std::string&, BodyReader&, BodyWriter&, const CallOptions&) override {
    return Error(Code::kUnimplemented, "no calls here");
  }

protected:
  Result<CallResult> call_whole(const std::string&, BytesView, const CallOptions&) override {
    return Error(Code::kUnimplemented, "no calls here");
  }
};

/// Sees what passes in both directions, and can change a body's bytes.
class Tap final : public wire::Connection {
public:
  explicit Tap(std::unique_ptr<wire::Connection> inner) : inner_(std::move(inner)) {}
  Status send(wire::FrameKind kind, BytesView payload, Deadline deadline) override {
    Bytes copy(payload.begin(), payload.end());
    if (flip && kind != wire::FrameKind::kMessage) copy.front() ^= 1U;
    note(copy);
    return inner_->send(kind, copy, deadline);
  }
  Result<wire::FrameKind> receive(Bytes& payload, Deadline deadline) override {
    auto kind = inner_->receive(payload, deadline);
    if (kind) note(payload);
    return kind;
  }
  void shutdown() noexcept override { inner_->shutdown(); }
  [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }

  [[nodiscard]] std::string seen() const {
    return seen_.with([](const auto& text) { return text; });
  }

  bool flip = false;

private:
  void note(BytesView payload) {
    seen_.with([&](auto& text) { text += as_text(payload); });
  }

  std::unique_ptr<wire::Connection> inner_;
  Guarded<std::string> seen_; // sender and receiver are two threads
};

class WholeBody final : public RequestBody {
public:
  explicit WholeBody(BytesView body) : body_(body) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return body_.size(); }
  bool restart() override { return true; }
  Status send(wire::SegmentWriter& writer) override { return writer.write(body_); }

private:
  BytesView body_;
};

class WholeResult final : public ResultSink {
public:
  bool restart() override { return true; }
  Status write(BytesView piece) override {
    text += as_text(piece);
    return {};
  }
  std::string text;
};

/// A caller's connection; the server's side runs on a thread of its own.
class Session {
public:
  explicit Session(TaskServer& server, Reach reach = Reach::kClosed) {
    auto near = std::make_unique<Tap>(std::move(pipe_.left));
    tap = near.get();
    instance.connection = std::move(near);
    thread_ = std::jthread([this, &server, reach] {
      server.serve(*pipe_.right, reach);
      pipe_.right->shutdown();
    });
    instance.hello =
        wire::receive_message<wire::Hello>(*instance.connection, Deadline::after(seconds(10))).value_or(wire::Hello());
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { end(); }
  /// Hangs up and waits until the server has noticed.
  void end() {
    instance.connection->shutdown();
    if (thread_.joinable()) thread_.join();
  }
  InstanceConnection instance;
  Tap* tap = nullptr;

private:
  wire::Pipe pipe_;
  std::jthread thread_;
};

class InstanceWorld : public testing::Test {
protected:
  InstanceWorld() {
    proxy_certificate_ = certificate("proxy-a", wire::ROLE_PROXY, proxy_key_);
    master_certificate_ = certificate("master-a", wire::ROLE_MASTER, master_);
    settings_ = {.instance = "echo-1", .function = "echo", .concurrency = 2, .protections = {"eae", "none"}};
  }

  wire::Signed certificate(const std::string& subject, wire::Role role, const crypto::SigningKey& key) {
    wire::Certificate result;
    result.set_subject(subject);
    result.set_role(role);
    result.set_cluster("west");
    result.set_node("node-1");
    result.set_assurance("software");
    result.set_issued(now_seconds() - 1);
    result.set_expires(now_seconds() + 3600);
    result.set_verify_key(wire::field(key.public_key().bytes()));
    return wire::sign(authority_, result);
  }
  /// The certificate of the instance itself, as receipts need it.
  wire::Signed instance_certificate(const std::string& tee_kind = "software") {
    wire::Certificate result;
    result.set_subject("echo-1");
    result.set_role(wire::ROLE_INSTANCE);
    result.set_cluster("west");
    result.set_node("node-1");
    result.set_assurance("software");
    result.set_tee_kind(tee_kind);
    result.set_function("echo");
    result.set_measurement(std::string(32, 'm'));
    result.set_issued(now_seconds() - 1);
    result.set_expires(now_seconds() + 3600);
    result.set_verify_key(wire::field(instance_.signing.public_key().bytes()));
    return wire::sign(authority_, result);
  }
  Identity identity(const std::string& name) {
    auto key = crypto::SigningKey::generate();
    auto signed_certificate = certificate(name, wire::ROLE_CLIENT, key);
    return {name, std::move(key), crypto::HpkePrivateKey::generate(),
            wire::HeldCertificate(std::move(signed_certificate)), authority_.public_key()};
  }

  void start(Work work) {
    ProcessorKey processor{crypto::DecryptionKey(x_j_), scope("echo-1", instance_.signing)};
    server_.emplace(settings_, instance_, std::move(processor), proxy_, events_, outgoing_, std::move(work), clock_,
                    revocations_);
  }
  /// A list that the instance gets.
  void revoke(const std::function<void(wire::RevocationList&)>& fill) {
    wire::RevocationList list;
    list.set_number(revocations_.number() + 1);
    fill(list);
    ASSERT_TRUE(revocations_.accept(wire::sign(authority_, list)));
  }
  static std::string hash_of(const crypto::SigningKey& key) {
    return wire::field(crypto::sha256(key.public_key().bytes()));
  }
  void start_echo() {
    start(Handler([this](TaskContext&, BytesView body) -> Result<Bytes> {
      ++ran_;
      return Bytes(body.begin(), body.end());
    }));
  }

  /// A capsule of a caller in f form.
  ReadyCapsule capsule_of(const Identity& caller) { return capsule_of(caller, scope(caller.name, caller.signing)); }
  ReadyCapsule capsule_of(const Identity& caller, const wire::KeyScope& key_scope, const std::string& instance = {}) {
    const auto x_i = crypto::Scalar::random();
    auto made = wire::make_capsule({x_i.clone(), key_scope}, caller.signing, now_seconds(), instance);
    const wire::ProxyKey provider{crypto::reencryption_key(x_i, f_), key_scope};
    auto turned = wire::turn_capsule(made.capsule, provider, proxy_key_, proxy_certificate_, now_seconds()).value();
    auto header = wire::capsule_header_unverified(turned).value();
    return {std::move(turned), std::move(header), std::move(made.secret)};
  }

  /// What one exchange sends; a test changes parts of it.
  struct Call {
    const Identity* caller;
    wire::Lease lease;
    wire::Signed master_certificate;
    const crypto::SigningKey* master;
    wire::SealedHeader header;
    const ReadyCapsule* capsule;
    Bytes body = to_bytes("hello");
    ExchangeOutput output = {};
    Deadline deadline = Deadline::after(seconds(20));
    bool goes_on = false; ///< without its lease
  };
  Call call_of(const Identity& caller, const ReadyCapsule* capsule) {
    Call call{.caller = &caller,
              .lease = {},
              .master_certificate = master_certificate_,
              .master = &master_,
              .header = {},
              .capsule = capsule};
    call.lease.set_lease_id("lease-1");
    call.lease.set_task_id(make_uuid());
    call.lease.set_function("echo");
    call.lease.set_instance("echo-1");
    call.lease.set_caller_key(wire::field(caller.signing.public_key().bytes()));
    call.lease.set_expires_ms((now_seconds() + 20) * 1000);
    call.lease.set_cluster("west");
    call.header.set_task_id(call.lease.task_id());
    call.header.set_function("echo");
    call.header.set_sender(caller.name);
    call.header.set_expires_ms((now_seconds() + 20) * 1000);
    call.header.set_protection(capsule == nullptr ? "none" : "eae");
    if (capsule != nullptr) call.header.set_capsule_id(capsule->header.capsule_id());
    return call;
  }
  Status exchange(Session& session, Call& call, RequestBody& body, ResultSink& result) {
    wire::LeaseGrant grant;
    *grant.mutable_lease() = wire::sign(*call.master, call.lease);
    *grant.mutable_master_certificate() = call.master_certificate;
    grant.set_instance(settings_.instance);
    return exchange_task(session.instance,
                         {*call.caller, grant, call.header, call.capsule, 1, call.deadline, call.goes_on}, body, result,
                         call.output);
  }
  Result<std::string> exchange(Session& session, Call& call) {
    WholeBody body(call.body);
    WholeResult result;
    TCFDL_TRY(exchange(session, call, body, result));
    return result.text;
  }
  /// Refused before the handler ran, and with which code.
  Error refusal(Session& session, Call& call) {
    const auto before = ran_.load();
    const auto result = exchange(session, call);
    EXPECT_FALSE(result) << "this must be refused";
    EXPECT_FALSE(call.output.accepted);
    EXPECT_EQ(ran_.load(), before) << "the handler ran";
    return result ? Error(Code::kUnknown, "") : result.error();
  }

  SystemClock clock_;
  NoClient outgoing_;
  Events events_;
  std::atomic<int> ran_ = 0;
  crypto::SigningKey authority_ = crypto::SigningKey::generate();
  crypto::SigningKey master_ = crypto::SigningKey::generate();
  crypto::SigningKey proxy_key_ = crypto::SigningKey::generate();
  crypto::Scalar f_ = crypto::Scalar::random();
  crypto::Scalar x_j_ = crypto::Scalar::random();
  wire::Signed proxy_certificate_;
  wire::Signed master_certificate_;
  Identity instance_ = identity("echo-1");
  Identity anna_ = identity("anna");
  Identity bert_ = identity("bert");
  ReadyCapsule capsule_; // Anna's, made in SetUp
  FinishingProxy proxy_{crypto::reencryption_key(f_, x_j_), scope("echo-1", instance_.signing),
                        authority_.public_key()};
  TaskServerSettings settings_;
  wire::Revocations revocations_{authority_.public_key()};
  std::optional<TaskServer> server_;

  void SetUp() override { capsule_ = capsule_of(anna_); }
};

} // namespace tcfdl::sdk
