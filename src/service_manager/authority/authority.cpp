#include "service_manager/authority/authority.hpp"

#include "base/encoding.hpp"
#include "crypto/hpke.hpp"
#include "crypto/random.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager {
namespace {

constexpr std::int64_t kDefaultTokenLifetime = 3600;
constexpr std::int64_t kLongestTokenLifetime = 30L * 24 * 3600;

Status check_token_request(const wire::CreateToken& request) {
  if (request.role() != wire::ROLE_MASTER && request.role() != wire::ROLE_WORKER &&
      request.role() != wire::ROLE_CLIENT) {
    return Error(Code::kInvalidArgument, "tokens are for masters, workers and clients");
  }
  TCFDL_TRY(check_label(request.cluster(), "cluster"));
  if (request.lifetime() < 0 || request.lifetime() > kLongestTokenLifetime) {
    return make_error(Code::kInvalidArgument, "lifetime: {} seconds; up to {} are allowed", request.lifetime(),
                      kLongestTokenLifetime);
  }
  if (request.grants_size() > 0 && request.role() != wire::ROLE_CLIENT) {
    return Error(Code::kInvalidArgument, "grants are for clients; nodes call no function");
  }
  return authority::check_grants({request.grants().begin(), request.grants().end()});
}

} // namespace

Result<std::unique_ptr<Authority>> Authority::open(const AuthorityParts& parts, AuthoritySettings settings) {
  if (settings.certificate_lifetime < 1) return Error(Code::kInvalidArgument, "certificate_lifetime is not above 0");
  authority::teach(parts.log);
  TCFDL_TRY(authority::adopt_policy(parts.database, parts.log, settings.policy.version, settings.policy_hash));
  TCFDL_ASSIGN(auto keys, authority::KeyStore::open(parts.database, parts.log, settings.key_file));
  return std::unique_ptr<Authority>(new Authority(parts, std::move(settings), std::move(keys)));
}

Result<wire::CreateTokenReply> Authority::create_token(const wire::CreateToken& request) {
  TCFDL_TRY(check_token_request(request));
  wire::CreateTokenReply reply;
  reply.set_secret(to_base64url(crypto::random_array<32>()));
  reply.set_authority_key_hash(wire::field(crypto::sha256(public_key().bytes())));
  reply.set_expires(parts_.clock.now() + (request.lifetime() == 0 ? kDefaultTokenLifetime : request.lifetime()));
  TokenCreated created;
  created.set_hash(wire::field(crypto::sha256(as_bytes(reply.secret()))));
  created.set_role(request.role());
  created.set_cluster(request.cluster());
  created.set_expires(reply.expires());
  *created.mutable_grants() = request.grants();
  if (request.role() == wire::ROLE_CLIENT && request.grants().empty()) created.add_grants(std::string(1, '*'));
  TCFDL_TRY(parts_.log.append(created));
  return reply;
}

Status Authority::remove_subject(const std::string& cluster, const std::string& name) {
  SubjectRemoved removed;
  removed.set_cluster(cluster);
  removed.set_name(name);
  TCFDL_TRY(parts_.log.append(removed));
  return {};
}

Status Authority::check_enrolled(const wire::Certificate& certificate) {
  TCFDL_TRY(authority::check_not_revoked(parts_.database, certificate.serial(), as_bytes(certificate.verify_key()),
                                         certificate.subject()));
  const auto& name = certificate.node().empty() ? certificate.subject() : certificate.node();
  TCFDL_ASSIGN(const auto subject, authority::find_subject(parts_.database, certificate.cluster(), name));
  bool enrolled = subject.has_value();
  if (enrolled && certificate.role() == wire::ROLE_PROXY) {
    enrolled = as_text(subject->proxy_verify_key) == certificate.verify_key();
  } else if (enrolled && certificate.role() != wire::ROLE_INSTANCE && certificate.role() != wire::ROLE_GATEWAY) {
    enrolled = subject->role == certificate.role() && as_text(subject->verify_key) == certificate.verify_key();
  }
  if (enrolled) return {};
  return make_error(Code::kUnauthenticated, "{} of cluster {} is not enrolled any more with that key; enrol it again",
                    certificate.subject(), certificate.cluster());
}

Status Authority::number(std::initializer_list<wire::Certificate*> certificates, const std::vector<Order*>& orders,
                         const std::string& cluster) {
  Issued issued;
  const auto add = [&](const std::string& holder, const std::string& what, UnixSeconds expires) -> IssuedItem& {
    auto& item = *issued.add_items();
    item.set_cluster(cluster);
    item.set_holder(holder);
    item.set_what(what);
    item.set_expires(expires);
    return item;
  };
  for (const auto* certificate : certificates) {
    auto& item = add(certificate->subject(), wire::Role_Name(certificate->role()), certificate->expires());
    item.set_node(certificate->node());
    item.set_key(wire::field(crypto::sha256(as_bytes(certificate->verify_key()))));
  }
  for (const auto* order : orders) {
    auto& item = add(order->scope.holder(), wire::KeyRole_Name(order->scope.role()), order->scope.expires());
    item.set_function(order->scope.function());
    item.set_assurance(order->scope.assurance());
    item.set_epoch(order->scope.epoch());
  }
  TCFDL_ASSIGN(const auto operation, parts_.log.append(issued));
  std::uint64_t index = 0;
  for (auto* certificate : certificates) certificate->set_serial(authority::serial_of(operation, index++));
  for (auto* order : orders) order->scope.set_serial(authority::serial_of(operation, index++));
  return {};
}

Result<wire::KeyPackage> Authority::fill(const Order& order) {
  const auto info = order.scope.SerializeAsString();
  TCFDL_ASSIGN(auto sealed,
               crypto::hpke_seal(as_bytes(order.scope.recipient_key()), as_bytes(info), {}, order.secret.span()));
  return wire::sign_key_package(keys_->signing_key(), order.scope, std::move(sealed));
}

} // namespace tcfdl::service_manager
