// A proxy in a temporary directory, with an authority, a caller and a function by hand.
#pragma once

#include "tee_proxy/proxy.hpp"

#include "attestation/report_data.hpp"
#include "base/file.hpp"
#include "wire/manifest.hpp"
#include "wire/socket.hpp"

#include <gmock/gmock.h>

namespace tcfdl::tee_proxy {

constexpr UnixSeconds kNow = 1'800'000'000;

class FixedClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return time; }
  UnixSeconds time = kNow;
};

/// The authority as the proxy sees it: gives Anna's keys to `echo`. A test bends the scope.
class FakeAuthority final : public Authority {
public:
  Result<wire::AuthorityReply> request(const wire::AuthorityRequest& request, Deadline) override {
    ++asked;
    if (!request.has_sender_keys()) return Error(Code::kUnimplemented, "only keys to send with");
    wire::AuthorityReply reply;
    if (silent) return reply;
    if (down) return Error(Code::kUnavailable, "nobody is there");
    auto scope = proxy_scope;
    scope.set_function(request.sender_keys().function());
    scope.set_assurance("software");
    *reply.mutable_sender_keys()->mutable_descriptor() = descriptor;
    const auto rk = crypto::reencryption_key(x_i, f);
    auto sealed = crypto::hpke_seal(as_bytes(seal_to), as_bytes(scope.SerializeAsString()), {}, rk.to_bytes().span());
    *reply.mutable_sender_keys()->mutable_proxy_key() = wire::sign_key_package(*signer, scope, *std::move(sealed));
    reply.mutable_sender_keys()->mutable_sender_key()->set_scope("for the caller");
    return reply;
  }

  crypto::SigningKey key = crypto::SigningKey::generate();
  const crypto::SigningKey* signer = &key;
  crypto::Scalar f = crypto::Scalar::random();
  crypto::Scalar x_i = crypto::Scalar::random();
  wire::KeyScope proxy_scope;
  std::string seal_to;
  wire::Signed descriptor;
  bool silent = false;
  bool down = false;
  int asked = 0;
};

class TeeProxyTest : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(start());
    const auto enrolment = proxy_->enrolment();
    ASSERT_TRUE(enrolment) << enrolment.error().to_string();
    verify_key_ = enrolment->verify_key();
    seal_key_ = enrolment->seal_key();
    authority_.seal_to = seal_key_;
    auto& scope = authority_.proxy_scope;
    scope.set_recipient_key(seal_key_);
    scope.set_role(wire::KEY_ROLE_PROXY_SENDER);
    scope.set_epoch(1);
    scope.set_holder("anna");
    scope.set_holder_verify_key(wire::field(anna_.public_key().bytes()));
    scope.set_expires(kNow + 3600);
    state_owner(2);
  }

  static wire::Descriptor descriptor(const crypto::SigningKey& owner, std::uint64_t version,
                                     std::string_view manifest = {}) {
    wire::Descriptor result;
    result.set_name("echo");
    result.set_version(version);
    result.set_owner_key(wire::field(owner.public_key().bytes()));
    result.set_measurement(wire::field(wire::measure_manifest(as_bytes(manifest))));
    result.add_tee_kinds("software");
    result.add_assurance("software");
    result.add_providers("west");
    return result;
  }
  /// The authority holds this version of `echo`, and knows its owner.
  void state_owner(std::uint64_t version) {
    authority_.descriptor = wire::sign(owner_, descriptor(owner_, version));
    authority_.proxy_scope.set_owner(wire::field(crypto::sha256(owner_.public_key().bytes())));
    authority_.proxy_scope.set_version(version);
  }
  /// What an order to launch is refused with; nothing can be launched here.
  Error refusal(const wire::Signed& described, const std::string& manifest) {
    wire::LaunchInstance order;
    order.set_instance("echo-1");
    order.set_role(wire::ROLE_INSTANCE);
    order.set_manifest(manifest);
    order.set_directory(directory_.path().string());
    *order.mutable_descriptor() = described;
    const auto launched = proxy_->launch(order);
    EXPECT_FALSE(launched);
    return launched ? Error(Code::kUnknown, "") : launched.error();
  }

  Status start() {
    proxy_.reset();
    TCFDL_ASSIGN(proxy_, TeeProxy::start({directory_.path() / "state", "node-1",
                                          wire::UnixAddress{(directory_.path() / "instances.sock").string()}, tee_},
                                         authority_, clock_,
                                         {.on_exit = [](const wire::InstanceExited&) {},
                                          .on_slots = [](const wire::PreparedSlots&) {}}));
    return {};
  }

  wire::Signed certificate(const std::string& subject, wire::Role role, const std::string& verify_key,
                           const std::string& seal_key = {}) {
    wire::Certificate result;
    result.set_subject(subject);
    result.set_role(role);
    result.set_cluster("west");
    result.set_issued(kNow - 1);
    result.set_expires(kNow + 3600);
    result.set_verify_key(verify_key);
    result.set_seal_key(seal_key);
    for (const auto& grant : grants_) result.add_grants(grant);
    return wire::sign(authority_.key, result);
  }
  wire::ProxyIdentity identity() {
    wire::ProxyIdentity result;
    *result.mutable_certificate() = certificate("node-1/proxy", wire::ROLE_PROXY, verify_key_, seal_key_);
    result.set_authority_key(wire::field(authority_.key.public_key().bytes()));
    result.set_cluster("west");
    result.set_node("node-1");
    return result;
  }
  wire::ProxyRequest keys_request() {
    wire::ProxyRequest request;
    auto& keys = *request.mutable_sender_keys();
    keys.set_function("echo");
    keys.set_assurance("software");
    *keys.mutable_certificate() = certificate("anna", wire::ROLE_CLIENT, wire::field(anna_.public_key().bytes()));
    return request;
  }
  wire::MadeCapsule capsule() {
    auto scope = authority_.proxy_scope;
    scope.set_function("echo");
    scope.set_assurance("software");
    return wire::make_capsule({authority_.x_i.clone(), scope}, anna_, kNow);
  }
  Result<wire::ProxyReply> entry(const wire::ProxyRequest& request) {
    return proxy_->handle_entry(request, Deadline::after(std::chrono::seconds(10)));
  }
  Result<wire::ProxyReply> turn(const wire::Capsule& unturned) {
    wire::ProxyRequest request;
    *request.mutable_turn() = unturned;
    return entry(request);
  }
  Code code_of(const wire::ProxyRequest& request) {
    const auto reply = entry(request);
    return reply ? Code{} : reply.error().code();
  }

  TeeSettings tee_{"software", {}};
  TemporaryDirectory directory_;
  FixedClock clock_;
  FakeAuthority authority_;
  crypto::SigningKey anna_ = crypto::SigningKey::generate();
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  std::vector<std::string> grants_; ///< of whom `certificate` is asked for
  std::string verify_key_;
  std::string seal_key_;
  std::unique_ptr<TeeProxy> proxy_;
};

/// A revocation list that `authority` signed.
inline wire::Signed list_of(const crypto::SigningKey& authority, std::uint64_t number,
                            const std::function<void(wire::RevocationList&)>& fill) {
  wire::RevocationList list;
  list.set_number(number);
  fill(list);
  return wire::sign(authority, list);
}

} // namespace tcfdl::tee_proxy
