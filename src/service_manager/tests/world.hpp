// A service manager in a temporary directory, with keys of those who talk to it.
#pragma once

#include "attestation/report_data.hpp"
#include "attestation/software.hpp"
#include "base/file.hpp"
#include "crypto/hpke.hpp"
#include "service_manager/schema.hpp"
#include "service_manager/service.hpp"

#include <gmock/gmock.h>

namespace tcfdl::service_manager {

constexpr UnixSeconds kNow = 1'800'000'000;

class ManualClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return now_; }
  void advance(std::int64_t seconds) { now_ += seconds; }

private:
  UnixSeconds now_ = kNow;
};

/// The value, or the end of the test's thread of thought.
template <class T> T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return *std::move(result);
}
inline void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

template <class T> Error refusal(const Result<T>& result) {
  EXPECT_FALSE(result) << "this must be refused";
  return result ? Error(Code::kUnknown, "") : result.error();
}

// NOLINTNEXTLINE(readability-identifier-naming): matchers are named as GoogleMock names its own.
MATCHER_P2(Refuses, code, words, "") {
  *result_listener << arg.to_string();
  return arg.code() == code && arg.message().find(words) != std::string::npos;
}

/// The keys of a node and its proxy.
struct NodeKeys {
  std::string name;
  crypto::SigningKey verify = crypto::SigningKey::generate();
  crypto::SigningKey platform = crypto::SigningKey::generate();
  crypto::SigningKey proxy = crypto::SigningKey::generate();
  crypto::HpkePrivateKey proxy_seal = crypto::HpkePrivateKey::generate();
  wire::Signed certificate = {};
  wire::Signed proxy_certificate = {};
};

/// The keys of a client or an instance.
struct HolderKeys {
  std::string name;
  crypto::SigningKey verify = crypto::SigningKey::generate();
  crypto::HpkePrivateKey seal = crypto::HpkePrivateKey::generate();
  wire::Signed certificate = {};
};

inline std::string bytes_of(const crypto::SigningKey& key) { return wire::field(key.public_key().bytes()); }
inline std::string bytes_of(const crypto::HpkePrivateKey& key) { return wire::field(key.public_key().bytes()); }

inline const Bytes kProxyMeasurement(32, 0x50);
inline const std::string kFunctionMeasurement(32, 'm');

class World : public testing::Test {
protected:
  World() { start(); }

  /// (Re)starts on the files of the directory.
  void start() {
    service_.reset();
    nats_.reset();
    authority_.reset();
    registry_.reset();
    log_.reset();
    database_.reset();
    database_ = must(database::Database::open(directory_.path() / "state.db"));
    must(prepare_schema(*database_));
    log_ = std::make_unique<OperationLog>(*database_, clock_);
    registry_ = std::make_unique<Registry>(*database_, *log_, clock_);
    auto opened = open_authority();
    if (!opened) throw std::runtime_error(opened.error().to_string());
    authority_ = *std::move(opened);
    nats_ = std::make_unique<authority::NatsOperator>(authority_->nats_root(), *database_, *log_, clock_);
    service_ = std::make_unique<Service>(*authority_, *registry_, *nats_, clock_);
  }
  Result<std::unique_ptr<Authority>> open_authority() {
    return Authority::open(
        {.database = *database_, .log = *log_, .registry = *registry_, .verifiers = verifiers_, .clock = clock_},
        {.key_file = directory_.path() / "key",
         .policy = document_ ? *document_ : attestation::PolicyDocument::of(policy_),
         .policy_hash = policy_hash_,
         .endorsements = endorsements_});
  }

  std::string token(wire::Role role, const std::string& cluster = "west", std::vector<std::string> grants = {}) {
    wire::CreateToken request;
    request.set_role(role);
    request.set_cluster(cluster);
    for (const auto& grant : grants) request.add_grants(grant);
    return must(authority_->create_token(request)).secret();
  }

  static void sign_possession(wire::EnrolRequest& request, const crypto::SigningKey& key) {
    request.set_possession(wire::field(wire::sign_labelled(
        key, "Enrol",
        {as_bytes(request.token_secret()), as_bytes(request.verify_key()), as_bytes(request.seal_key())})));
  }
  static wire::ProxyEnrolment proxy_enrolment(const NodeKeys& node, const std::string& nonce) {
    wire::ProxyEnrolment proxy;
    proxy.set_verify_key(bytes_of(node.proxy));
    proxy.set_seal_key(bytes_of(node.proxy_seal));
    proxy.set_nonce(nonce);
    const auto data = attestation::report_data("proxy", as_bytes(proxy.nonce()),
                                               {as_bytes(proxy.verify_key()), as_bytes(proxy.seal_key())});
    *proxy.mutable_evidence() = attestation::make_software_evidence(node.platform, kProxyMeasurement, data, node.name);
    return proxy;
  }
  static wire::EnrolRequest node_request(const NodeKeys& node, wire::Role role, const std::string& secret) {
    wire::EnrolRequest request;
    request.set_token_secret(secret);
    request.set_role(role);
    request.set_name(node.name);
    request.set_verify_key(bytes_of(node.verify));
    request.set_platform_key(bytes_of(node.platform));
    *request.mutable_proxy() = proxy_enrolment(node, std::string(32, 'n'));
    sign_possession(request, node.verify);
    return request;
  }
  static wire::EnrolRequest client_request(const HolderKeys& client, const std::string& secret) {
    wire::EnrolRequest request;
    request.set_token_secret(secret);
    request.set_role(wire::ROLE_CLIENT);
    request.set_name(client.name);
    request.set_verify_key(bytes_of(client.verify));
    request.set_seal_key(bytes_of(client.seal));
    sign_possession(request, client.verify);
    return request;
  }

  /// The scalar of a package, opened and checked as its recipient does.
  crypto::Scalar open(const wire::KeyPackage& package, const crypto::HpkePrivateKey& key) {
    must(wire::verify_key_package(authority_->public_key(), package, clock_.now()));
    const auto secret = must(crypto::hpke_open(key, as_bytes(package.scope()), {}, as_bytes(package.sealed())));
    return must(crypto::Scalar::from_bytes(secret.span()));
  }
  static wire::KeyScope scope(const wire::KeyPackage& package) {
    return must(wire::parse<wire::KeyScope>(package.scope()));
  }

  void enrol(NodeKeys& node, wire::Role role, const std::string& cluster = "west") {
    const auto reply = must(authority_->enrol(node_request(node, role, token(role, cluster))));
    node.certificate = reply.certificate();
    node.proxy_certificate = reply.proxy_certificate();
  }
  void enrol(HolderKeys& client, const std::vector<std::string>& grants = {}) {
    client.certificate =
        must(authority_->enrol(client_request(client, token(wire::ROLE_CLIENT, "west", grants)))).certificate();
  }

  wire::Descriptor descriptor(const std::string& name = "plates/read", std::uint64_t version = 1) const {
    wire::Descriptor result;
    result.set_name(name);
    result.set_version(version);
    result.set_owner_key(bytes_of(owner_));
    result.set_measurement(kFunctionMeasurement);
    result.add_tee_kinds("software");
    result.add_assurance("software");
    result.add_providers("*");
    result.set_epoch(3);
    return result;
  }
  wire::Signed signed_descriptor(const std::string& name = "plates/read", std::uint64_t version = 1) const {
    return wire::sign(owner_, descriptor(name, version));
  }

  static wire::InstanceStatement statement(const HolderKeys& instance, const NodeKeys& node,
                                           const std::string& function = "plates/read") {
    wire::InstanceStatement result;
    result.set_instance(instance.name);
    result.set_function(function);
    result.set_measurement(kFunctionMeasurement);
    result.set_verify_key(bytes_of(instance.verify));
    result.set_seal_key(bytes_of(instance.seal));
    result.set_node(node.name);
    result.set_cluster("west");
    result.set_issued(kNow);
    result.set_role(wire::ROLE_INSTANCE);
    return result;
  }
  static wire::InstanceKeysRequest instance_request(const NodeKeys& node, const wire::InstanceStatement& statement) {
    wire::InstanceKeysRequest request;
    *request.mutable_statement() = wire::sign(node.proxy, statement);
    *request.mutable_proxy_certificate() = node.proxy_certificate;
    return request;
  }
  static wire::SenderKeysRequest sender_request(const HolderKeys& caller, const NodeKeys& node,
                                                const std::string& function = "plates/read",
                                                const std::string& assurance = "") {
    wire::SenderKeysRequest request;
    request.set_function(function);
    request.set_assurance(assurance);
    *request.mutable_caller_certificate() = caller.certificate;
    *request.mutable_proxy_certificate() = node.proxy_certificate;
    return request;
  }

  TemporaryDirectory directory_;
  ManualClock clock_;
  attestation::Policy policy_ = must(attestation::Policy::parse_text("tee_kinds: {software: software}", "policy"));
  std::optional<attestation::PolicyDocument> document_; ///< in place of policy_
  Bytes policy_hash_ = Bytes(32, 1);
  std::function<Result<std::vector<attestation::Endorsements>>()> endorsements_;
  Verifiers verifiers_ = [] {
    Verifiers verifiers;
    verifiers.push_back(std::make_unique<attestation::SoftwareVerifier>());
    return verifiers;
  }();
  crypto::SigningKey owner_ = crypto::SigningKey::generate();
  std::unique_ptr<database::Database> database_;
  std::unique_ptr<OperationLog> log_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Authority> authority_;
  std::unique_ptr<authority::NatsOperator> nats_;
  std::unique_ptr<Service> service_;
};

} // namespace tcfdl::service_manager
