// A caller and one instance of `echo`, over real sockets; its master, proxy and authority are played.
#pragma once

#include "base/file.hpp"
#include "sdk/caller.hpp"
#include "sdk/tests/instance_world.hpp"
#include "wire/listener.hpp"

#include <deque>
#include <future>

namespace tcfdl::sdk {

/// Leases as a test lays them out; the last one is given again and again.
class Leases final : public TaskManager {
public:
  Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline, const std::stop_token&) override {
    ++asked;
    priority = request.priority();
    excluded.assign(request.exclude().begin(), request.exclude().end());
    if (busy > 0) {
      --busy;
      return full;
    }
    auto grant = grants.front();
    if (grants.size() > 1) grants.pop_front();
    wire::Lease lease;
    lease.set_lease_id("lease-" + std::to_string(++given));
    lease.set_task_id(request.task_id());
    lease.set_function(request.function());
    lease.set_instance(grant.instance());
    lease.set_caller_key(caller_key);
    lease.set_expires_ms((now_seconds() + 20) * 1000);
    lease.set_cluster("west");
    if (request.burst() && burst_ms > 0) {
      lease.clear_task_id();
      lease.set_burst_tasks(burst_tasks);
      lease.set_burst_ms(burst_ms);
    }
    *grant.mutable_lease() = wire::sign(*master, lease);
    return grant;
  }
  void release(const wire::LeaseRelease&) override { ++released; }
  Result<std::unique_ptr<wire::Connection>> open_relay(const wire::OpenRelay&, Deadline) override {
    if (relay) return std::move(relay);
    return Error(Code::kUnavailable, "no relay here");
  }

  std::deque<wire::LeaseGrant> grants;
  Error full{Code::kResourceExhausted, "the queue of echo is full"};
  int busy = 0; ///< how often the queue is full before it is not
  int asked = 0;
  wire::Priority priority{};
  std::vector<std::string> excluded; ///< by the last request
  std::unique_ptr<wire::Connection> relay;
  const crypto::SigningKey* master = nullptr;
  std::string caller_key;
  int given = 0;
  int released = 0;
  unsigned burst_tasks = 3;
  unsigned burst_ms = 0; ///< 0: no bursts, whatever is asked for
};

/// The caller's proxy with the authority behind it, which states whose `echo` is.
class EntryProxy final : public Proxy {
public:
  EntryProxy(const crypto::SigningKey& authority, const crypto::SigningKey& proxy, const wire::Signed& certificate,
             const crypto::Scalar& f, const Identity& caller)
      : authority_(authority), proxy_(proxy), certificate_(certificate), caller_(caller), x_(crypto::Scalar::random()),
        rk_(crypto::reencryption_key(x_, f)) {}

  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline) override {
    wire::ProxyReply reply;
    if (request.has_turn()) {
      wire::ProxyKey key{rk_.clone(), scope(caller_.name, caller_.signing)};
      key.scope.set_epoch(wire::capsule_header_unverified(request.turn()).value().epoch());
      turned_for.push_back(wire::capsule_header_unverified(request.turn()).value().instance());
      if (key.scope.epoch() < turns_from) return Error(Code::kFailedPrecondition, "that epoch was replaced");
      TCFDL_ASSIGN(*reply.mutable_capsule(),
                   wire::turn_capsule(request.turn(), key, proxy_, certificate_, now_seconds()));
      return reply;
    }
    ++asked;
    if (hold) hold->wait();
    auto stated = scope(caller_.name, caller_.signing);
    stated.set_epoch(epoch);
    stated.set_role(wire::KEY_ROLE_SENDER);
    stated.set_recipient_key(wire::field(caller_.sealing.public_key().bytes()));
    stated.set_expires(now_seconds() + 3600);
    stated.set_owner(owner);
    stated.set_version(version);
    TCFDL_ASSIGN(auto sealed, crypto::hpke_seal(caller_.sealing.public_key().bytes(),
                                                as_bytes(stated.SerializeAsString()), {}, x_.to_bytes().span()));
    *reply.mutable_sender_key() = wire::sign_key_package(authority_, stated, std::move(sealed));
    return reply;
  }

  std::optional<std::shared_future<void>> hold; ///< keys come when it is there
  std::string owner;
  std::uint64_t version = 1;
  std::uint32_t epoch = 1;             ///< that the authority gives keys of
  std::uint32_t turns_from = 0;        ///< the lowest epoch whose capsules the proxy turns
  std::atomic<int> asked = 0;          ///< for keys
  std::vector<std::string> turned_for; ///< instances that capsules were for

private:
  const crypto::SigningKey& authority_;
  const crypto::SigningKey& proxy_;
  const wire::Signed& certificate_;
  const Identity& caller_;
  crypto::Scalar x_;
  crypto::Scalar rk_;
};

class Calls : public InstanceWorld {
protected:
  void SetUp() override {
    InstanceWorld::SetUp();
    settings_.descriptor = wire::sign(owner_, descriptor(5));
    instance_.certificate = wire::HeldCertificate(instance_certificate());
    start_echo();
    listener_ =
        wire::Listener::start(wire::UnixAddress{(directory_.path() / "echo.sock").string()}, {.name = "echo"},
                              [this](wire::Connection& connection) { server_->serve(connection, Reach::kClosed); })
            .value();
    leases_.master = &master_;
    leases_.caller_key = wire::field(anna_.signing.public_key().bytes());
    entry_.owner = wire::field(crypto::sha256(owner_.public_key().bytes()));
  }

  wire::Descriptor descriptor(std::uint64_t version) const {
    wire::Descriptor result;
    result.set_name("echo");
    result.set_version(version);
    result.set_owner_key(wire::field(owner_.public_key().bytes()));
    result.set_measurement(std::string(32, 'm'));
    result.add_tee_kinds("software");
    result.add_protections("eae");
    result.add_assurance("software");
    result.add_providers("west");
    result.set_epoch(1);
    return result;
  }
  wire::LeaseGrant grant(const wire::Signed& described) const {
    wire::LeaseGrant result;
    *result.mutable_master_certificate() = master_certificate_;
    *result.mutable_descriptor() = described;
    result.set_cluster("west");
    result.set_instance("echo-1");
    result.set_assurance("software");
    auto& route = *result.add_routes();
    route.set_kind(wire::ROUTE_KIND_LOCAL);
    route.set_address(wire::to_string(listener_->address()));
    return result;
  }
  wire::LeaseGrant grant(const wire::Descriptor& described) const { return grant(wire::sign(owner_, described)); }
  wire::LeaseGrant grant(std::uint64_t version) const { return grant(descriptor(version)); }

  Result<CallResult> call(std::deque<wire::LeaseGrant> grants, Protection protection = Protection::kEae) {
    leases_.grants = std::move(grants);
    CallOptions options;
    options.timeout = seconds(20);
    options.protection = protection;
    Client& client = caller_;
    return client.call("echo", as_bytes("hello"), options);
  }
  Error refusal(const wire::LeaseGrant& offered, Protection protection = Protection::kEae) {
    const auto released = leases_.released;
    const auto ran = ran_.load();
    const auto result = call({offered}, protection);
    EXPECT_FALSE(result) << "this must be refused";
    EXPECT_GT(leases_.released, released) << "the lease is given back";
    EXPECT_EQ(ran_.load(), ran) << "the handler ran";
    return result ? Error(Code::kUnknown, "") : result.error();
  }

  /// The instance's proxy gets keys of that epoch for it, the same scalars.
  void renew_instance(std::uint32_t epoch) {
    auto stated = scope("echo-1", instance_.signing);
    stated.set_epoch(epoch);
    proxy_.add(crypto::reencryption_key(f_, x_j_), stated);
    stated.set_role(wire::KEY_ROLE_PROCESSOR);
    stated.set_recipient_key(wire::field(instance_.sealing.public_key().bytes()));
    stated.set_expires(now_seconds() + 3600);
    auto sealed = crypto::hpke_seal(instance_.sealing.public_key().bytes(), as_bytes(stated.SerializeAsString()), {},
                                    x_j_.to_bytes().span());
    wire::ProxyReply reply;
    *reply.mutable_attached()->mutable_certificate() = instance_.certificate.get();
    *reply.mutable_attached()->mutable_processor_key() = wire::sign_key_package(authority_, stated, *std::move(sealed));
    proxy_.renewal = std::move(reply);
  }

  TemporaryDirectory directory_;
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  Leases leases_;
  EntryProxy entry_{authority_, proxy_key_, proxy_certificate_, f_, anna_};
  Caller caller_{anna_, leases_, entry_, clock_};
  std::unique_ptr<wire::Listener> listener_;
};

} // namespace tcfdl::sdk
