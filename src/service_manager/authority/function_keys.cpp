// Keys of instances and callers to functions: KeyGen of the paper's section 3.2.
#include "crypto/proxy_reencryption.hpp"
#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/authority/programs.hpp"
#include "wire/descriptor.hpp"
#include "wire/topic.hpp"

namespace tcfdl::service_manager {
namespace {

constexpr std::int64_t kStatementWindow = 300; // seconds
constexpr std::size_t kLongestInstance = 128;

Status check_instance_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kLongestInstance &&
                    std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7F; });
  if (good) return {};
  return make_error(Code::kInvalidArgument, "instance: a name has 1 to {} printable characters", kLongestInstance);
}

Status check_statement(const wire::InstanceStatement& statement, const wire::Certificate& proxy, UnixSeconds now) {
  TCFDL_TRY(check_instance_name(statement.instance()));
  if (statement.node() != proxy.node() || statement.cluster() != proxy.cluster()) {
    return make_error(Code::kPermissionDenied, "the statement is of node {} of cluster {}, its proxy of {} of {}",
                      statement.node(), statement.cluster(), proxy.node(), proxy.cluster());
  }
  if (statement.issued() > now + kStatementWindow || statement.issued() < now - kStatementWindow) {
    return make_error(Code::kUnauthenticated, "the statement of {} is not of the last {} seconds; check the clocks",
                      statement.instance(), kStatementWindow);
  }
  if (statement.measurement().size() != crypto::kSha256Size) {
    return Error(Code::kInvalidArgument, "the statement's measurement has not 32 bytes");
  }
  for (const auto& key : {statement.verify_key(), statement.seal_key()})
    TCFDL_TRY(crypto::Point::from_bytes(as_bytes(key)));
  if (statement.role() == wire::ROLE_INSTANCE || statement.role() == wire::ROLE_GATEWAY) return {};
  return make_error(Code::kInvalidArgument, "{} is no role of an instance", wire::Role_Name(statement.role()));
}

/// The class that a request means: the one it names, or the first of the descriptor. Never a weaker one instead.
Result<std::string> chosen_class(const std::string& wanted, const wire::Descriptor& descriptor) {
  auto assurance = wanted.empty() ? descriptor.assurance(0) : wanted;
  if (wire::contains_text(descriptor.assurance(), assurance)) return assurance;
  return make_error(Code::kPermissionDenied, "{} admits no tasks of class '{}'", descriptor.name(), assurance);
}

wire::KeyScope scope_of(const wire::Certificate& holder, const wire::Certificate& recipient,
                        const wire::Descriptor& descriptor, const std::string& assurance, wire::KeyRole role) {
  wire::KeyScope scope;
  scope.set_recipient_key(recipient.seal_key());
  scope.set_evidence_hash(recipient.evidence_hash());
  scope.set_function(descriptor.name());
  scope.set_role(role);
  scope.set_assurance(assurance);
  scope.set_epoch(descriptor.epoch());
  scope.set_holder(holder.subject());
  scope.set_holder_verify_key(holder.verify_key());
  scope.set_owner(wire::field(crypto::sha256(as_bytes(descriptor.owner_key()))));
  scope.set_version(descriptor.version());
  scope.set_expires(std::min(holder.expires(), recipient.expires()));
  scope.set_capsule_life(wire::topic_capsule_life(descriptor));
  return scope;
}

/// Whether the holder's grants cover what it asks to send to.
Status check_sender(const wire::Certificate& caller, const wire::Descriptor& descriptor) {
  const auto& name = descriptor.name();
  if (!descriptor.has_topic()) {
    if (wire::grants_allow(caller, name)) return {};
    return make_error(Code::kPermissionDenied, "{} has no grant to call {}", caller.subject(), name);
  }
  if (wire::grants_allow_topic(caller, wire::kPublishGrant, name)) return {};
  return make_error(Code::kPermissionDenied, "{} has no grant to publish to {}: grant it '{}{}'", caller.subject(),
                    name, wire::kPublishGrant, name);
}

/// A re-encryption key leads to whoever holds x, so the proxy must be of the class that the data has.
Status check_class_of_proxy(const wire::Certificate& proxy, const std::string& has, const std::string& wanted) {
  if (attestation::meets(has, wanted)) return {};
  return make_error(Code::kPermissionDenied,
                    "the proxy of node {} is of class '{}'; keys of class '{}' go only to proxies of that class",
                    proxy.node(), has, wanted);
}

/// x of a holder: one for its key, role, function, class and epoch, so that keys asked for twice are the same keys. A
/// pseudorandom function of f, which says nothing of f nor of another holder's x.
crypto::Scalar holder_key(const crypto::Scalar& f, const wire::KeyScope& scope) {
  wire::KeyScope what;
  what.set_function(scope.function());
  what.set_role(scope.role());
  what.set_assurance(scope.assurance());
  what.set_epoch(scope.epoch());
  what.set_holder(scope.holder());
  what.set_holder_verify_key(scope.holder_verify_key());
  const auto secret = f.to_bytes();
  // The serial counts the attempts: about one in 2^32 candidates is not below the group's order.
  for (;; what.set_serial(what.serial() + 1)) {
    const auto candidate =
        crypto::hkdf_sha256(secret.span(), as_bytes("tcfdl/1/holder-key"), wire::serialize(what), crypto::kScalarSize);
    if (auto x = crypto::Scalar::from_bytes(candidate.span())) return *std::move(x);
  }
}

} // namespace

Result<Authority::Proxy> Authority::check_proxy(const wire::Signed& certificate, const std::string& cluster) {
  auto checked = wire::verify_certificate(public_key(), certificate, {wire::ROLE_PROXY}, parts_.clock.now());
  if (!checked) return checked.error().within("proxy_certificate");
  if (checked->cluster() != cluster) {
    return make_error(Code::kPermissionDenied, "the proxy is of cluster {}, the request of {}", checked->cluster(),
                      cluster);
  }
  TCFDL_TRY(check_enrolled(*checked));
  // Policy and collateral may have changed since the proxy was admitted.
  TCFDL_ASSIGN(auto judged, judge_again(*checked));
  auto& findings = judged.findings;
  const auto claims = findings.outcome();
  if (!claims) return claims.error().within("proxy_certificate");
  auto assurance = findings.assurance();
  return Proxy{.certificate = *std::move(checked), .assurance = std::move(assurance), .findings = std::move(findings)};
}

/// Of the version in force, or of another program that its cluster tries.
Result<Authority::Admitted> Authority::admit_instance(const wire::InstanceStatement& statement, const Proxy& proxy) {
  Admitted admitted;
  TCFDL_ASSIGN(admitted.signed_descriptor, parts_.registry.current_descriptor(statement.function()));
  TCFDL_ASSIGN(auto current, wire::check_descriptor(admitted.signed_descriptor));
  admitted.in_force = current.version();
  admitted.descriptor = current;
  auto& descriptor = admitted.descriptor;
  if (current.measurement() != statement.measurement()) {
    TCFDL_ASSIGN(auto staged, parts_.registry.staged_descriptor(proxy.certificate.cluster(), statement.function()));
    if (staged) {
      admitted.signed_descriptor = *std::move(staged);
      TCFDL_ASSIGN(descriptor, wire::check_descriptor(admitted.signed_descriptor));
    }
  }
  const auto refuse = [&](const std::string& why) {
    return make_error(Code::kPermissionDenied, "{} version {}: {}", descriptor.name(), descriptor.version(), why);
  };
  if (descriptor.measurement() != statement.measurement()) return refuse("the instance has another measurement");
  if (!wire::admits_provider(descriptor, proxy.certificate.cluster())) {
    return refuse(fmt::format("cluster {} may not provide it", proxy.certificate.cluster()));
  }
  if (!wire::contains_text(descriptor.tee_kinds(), proxy.certificate.tee_kind())) {
    return refuse(fmt::format("it may not run in a TEE of kind '{}'", proxy.certificate.tee_kind()));
  }
  if (!wire::contains_text(descriptor.assurance(), proxy.assurance)) {
    return refuse(fmt::format("it may not be processed with assurance class '{}'", proxy.assurance));
  }
  TCFDL_TRY(put_epoch_in_force(current));
  descriptor.set_epoch(current.epoch()); // a trial raises none
  return admitted;
}

wire::Certificate Authority::instance_certificate(const wire::Signed& signed_statement,
                                                  const wire::InstanceStatement& statement, const Proxy& proxy) const {
  wire::Certificate certificate;
  certificate.set_subject(statement.instance());
  certificate.set_role(statement.role());
  certificate.set_verify_key(statement.verify_key());
  certificate.set_seal_key(statement.seal_key());
  certificate.set_cluster(statement.cluster());
  certificate.set_node(statement.node());
  certificate.set_tee_kind(proxy.certificate.tee_kind());
  certificate.set_assurance(proxy.assurance);
  certificate.set_policy_version(policy_version());
  if (statement.role() == wire::ROLE_INSTANCE) certificate.set_function(statement.function());
  certificate.set_measurement(statement.measurement());
  certificate.set_evidence_hash(wire::field(
      crypto::sha256({as_bytes(proxy.certificate.evidence_hash()), as_bytes(signed_statement.statement())})));
  certificate.set_issued(parts_.clock.now());
  certificate.set_expires(std::min(expiry(), proxy.certificate.expires()));
  certificate.add_grants(std::string(1, '*'));
  return certificate;
}

Result<wire::InstanceKeysReply> Authority::instance_keys(const wire::InstanceKeysRequest& request,
                                                         const std::string& cluster) {
  TCFDL_ASSIGN(const auto proxy, check_proxy(request.proxy_certificate(), cluster));
  TCFDL_ASSIGN(const auto proxy_key, crypto::VerifyKey::from_bytes(as_bytes(proxy.certificate.verify_key())));
  TCFDL_ASSIGN(const auto statement, wire::verify<wire::InstanceStatement>(proxy_key, request.statement()));
  TCFDL_TRY(check_statement(statement, proxy.certificate, parts_.clock.now()));
  TCFDL_TRY(admit_program(settings_.policy, statement.role(), statement.function(), as_bytes(statement.measurement()),
                          proxy.findings));
  auto certificate = instance_certificate(request.statement(), statement, proxy);
  wire::InstanceKeysReply reply;
  if (statement.role() == wire::ROLE_GATEWAY) {
    TCFDL_TRY(number({&certificate}, {}, cluster));
  } else {
    TCFDL_ASSIGN(const auto admitted, admit_instance(statement, proxy));
    *reply.mutable_descriptor() = admitted.signed_descriptor;
    auto as_in_force = admitted.descriptor; // what keys name is the version that counts
    as_in_force.set_version(admitted.in_force);
    TCFDL_ASSIGN(auto orders, processor_orders(certificate, as_in_force, proxy.assurance, proxy));
    TCFDL_ASSIGN(auto content, content_order(certificate, admitted, proxy));
    std::vector<Order*> all{&orders.first, &orders.second};
    if (content) all.push_back(&*content);
    TCFDL_TRY(number({&certificate}, all, cluster));
    TCFDL_ASSIGN(*reply.mutable_processor_key(), fill(orders.first));
    TCFDL_ASSIGN(*reply.mutable_proxy_key(), fill(orders.second));
    if (content) {
      TCFDL_ASSIGN(*reply.mutable_content_key(), fill(*content));
    }
  }
  *reply.mutable_certificate() = wire::sign(keys_->signing_key(), certificate);
  return reply;
}

Result<std::pair<Authority::Order, Authority::Order>> Authority::processor_orders(const wire::Certificate& holder,
                                                                                  const wire::Descriptor& descriptor,
                                                                                  const std::string& assurance,
                                                                                  const Proxy& proxy) {
  TCFDL_ASSIGN(const auto f, keys_->function_key(
                                 {.function = descriptor.name(), .assurance = assurance, .epoch = descriptor.epoch()}));
  auto scope = scope_of(holder, holder, descriptor, assurance, wire::KEY_ROLE_PROCESSOR);
  const auto x = holder_key(f, scope);
  return std::pair(
      Order{.scope = std::move(scope), .secret = x.to_bytes()},
      Order{.scope = scope_of(holder, proxy.certificate, descriptor, assurance, wire::KEY_ROLE_PROXY_PROCESSOR),
            .secret = crypto::reencryption_key(f, x).to_bytes()});
}

Result<std::optional<Authority::Order>> Authority::content_order(const wire::Certificate& instance,
                                                                 const Admitted& admitted, const Proxy& proxy) {
  const auto& descriptor = admitted.descriptor;
  TCFDL_ASSIGN(auto key, keys_->content_key({.function = descriptor.name(), .version = descriptor.version()}));
  if (!key) return std::optional<Order>();
  auto scope = scope_of(instance, instance, descriptor, proxy.assurance, wire::KEY_ROLE_CONTENT);
  scope.set_measurement(descriptor.measurement());
  return std::optional(Order{.scope = std::move(scope), .secret = *std::move(key)});
}

Result<wire::SenderKeysReply> Authority::sender_keys(const wire::SenderKeysRequest& request,
                                                     const std::string& cluster) {
  TCFDL_ASSIGN(const auto proxy, check_proxy(request.proxy_certificate(), cluster));
  const auto caller =
      wire::verify_certificate(public_key(), request.caller_certificate(),
                               {wire::ROLE_CLIENT, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}, parts_.clock.now());
  if (!caller) return caller.error().within("caller_certificate");
  TCFDL_TRY(check_enrolled(*caller));
  TCFDL_ASSIGN(const auto name, parse_function_name(request.function()));
  auto findings = proxy.findings;
  attestation::judge_function(settings_.policy, name.str(), std::nullopt, findings);
  if (const auto claims = findings.outcome(); !claims) return claims.error().within("the proxy, for " + name.str());
  wire::SenderKeysReply reply;
  TCFDL_ASSIGN(*reply.mutable_descriptor(), parts_.registry.current_descriptor(name.str()));
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(reply.descriptor()));
  TCFDL_TRY(check_sender(*caller, descriptor));
  TCFDL_ASSIGN(const auto assurance, chosen_class(request.assurance(), descriptor));
  TCFDL_TRY(check_class_of_proxy(proxy.certificate, proxy.assurance, assurance));
  TCFDL_TRY(put_epoch_in_force(descriptor));
  TCFDL_ASSIGN(auto orders, sender_orders(*caller, descriptor, assurance, proxy));
  TCFDL_TRY(number({}, {&orders.first, &orders.second}, cluster));
  TCFDL_ASSIGN(*reply.mutable_sender_key(), fill(orders.first));
  TCFDL_ASSIGN(*reply.mutable_proxy_key(), fill(orders.second));
  return reply;
}

Result<std::pair<Authority::Order, Authority::Order>> Authority::sender_orders(const wire::Certificate& caller,
                                                                               const wire::Descriptor& descriptor,
                                                                               const std::string& assurance,
                                                                               const Proxy& proxy) {
  TCFDL_ASSIGN(const auto f, keys_->function_key(
                                 {.function = descriptor.name(), .assurance = assurance, .epoch = descriptor.epoch()}));
  auto scope = scope_of(caller, caller, descriptor, assurance, wire::KEY_ROLE_SENDER);
  const auto x = holder_key(f, scope);
  return std::pair(
      Order{.scope = std::move(scope), .secret = x.to_bytes()},
      Order{.scope = scope_of(caller, proxy.certificate, descriptor, assurance, wire::KEY_ROLE_PROXY_SENDER),
            .secret = crypto::reencryption_key(x, f).to_bytes()});
}

Status Authority::check_receiver(const wire::Certificate& holder, const wire::Descriptor& topic) {
  if (!topic.has_topic()) {
    return make_error(Code::kPermissionDenied, "{} is a function, not a topic: nobody subscribes to it", topic.name());
  }
  if (holder.role() == wire::ROLE_CLIENT) {
    if (wire::grants_allow_topic(holder, wire::kSubscribeGrant, topic.name())) return {};
    return make_error(Code::kPermissionDenied, "{} has no grant to subscribe to {}: grant it '{}{}'", holder.subject(),
                      topic.name(), wire::kSubscribeGrant, topic.name());
  }
  TCFDL_ASSIGN(const auto current, parts_.registry.current_descriptor(holder.function()));
  TCFDL_ASSIGN(const auto function, wire::check_descriptor(current));
  if (function.measurement() == holder.measurement() && wire::admits_trigger(topic, function)) return {};
  return make_error(Code::kPermissionDenied,
                    "{} does not trigger {}: the function's file names it, and another owner's topic the function",
                    topic.name(), holder.function());
}

Status Authority::put_epoch(std::uint32_t wanted, wire::Descriptor& descriptor) {
  TCFDL_TRY(put_epoch_in_force(descriptor));
  if (wanted == 0 || wanted == descriptor.epoch()) return {};
  TCFDL_ASSIGN(const auto lives,
               parts_.database.query_one("SELECT 1 FROM retired_epochs WHERE function = ? AND epoch = ? AND until > ?",
                                         {descriptor.name(), std::int64_t{wanted}, parts_.clock.now()},
                                         [](const database::Row&) { return true; }));
  if (!lives) {
    return make_error(Code::kFailedPrecondition, "epoch {} of the keys of {} is over or has not come; {} is in force",
                      wanted, descriptor.name(), descriptor.epoch());
  }
  descriptor.set_epoch(wanted);
  return {};
}

Result<wire::ReceiverKeysReply> Authority::receiver_keys(const wire::ReceiverKeysRequest& request,
                                                         const std::string& cluster) {
  TCFDL_ASSIGN(const auto proxy, check_proxy(request.proxy_certificate(), cluster));
  const auto holder = wire::verify_certificate(public_key(), request.keys().certificate(),
                                               {wire::ROLE_CLIENT, wire::ROLE_INSTANCE}, parts_.clock.now());
  if (!holder) return holder.error().within("the receiver's certificate");
  TCFDL_TRY(check_enrolled(*holder));
  TCFDL_ASSIGN(const auto name, parse_function_name(request.keys().topic()));
  wire::ReceiverKeysReply reply;
  TCFDL_ASSIGN(*reply.mutable_descriptor(), parts_.registry.current_descriptor(name.str()));
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(reply.descriptor()));
  TCFDL_TRY(check_receiver(*holder, descriptor));
  TCFDL_ASSIGN(const auto assurance, chosen_class(request.keys().assurance(), descriptor));
  TCFDL_TRY(check_class_of_proxy(proxy.certificate, proxy.assurance, assurance));
  TCFDL_TRY(put_epoch(request.keys().epoch(), descriptor));
  TCFDL_ASSIGN(auto orders, processor_orders(*holder, descriptor, assurance, proxy));
  TCFDL_TRY(number({}, {&orders.first, &orders.second}, cluster));
  TCFDL_ASSIGN(*reply.mutable_receiver_key(), fill(orders.first));
  TCFDL_ASSIGN(*reply.mutable_proxy_key(), fill(orders.second));
  return reply;
}

} // namespace tcfdl::service_manager
