#include "service_manager/authority/nats_operator.hpp"

#include "collaboration/permissions.hpp"
#include "collaboration/subjects.hpp"
#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager::authority {
namespace {

using message_queue::Nkey;
using message_queue::NkeyKind;

// Names of accounts that no cluster has, since clusters' names lack `_`.
const std::string kSystem = "_system";
const std::string kServiceManager = "_service_manager";
const std::string kOperator = "tcfdl";

} // namespace

NatsOperator::NatsOperator(BytesView root, database::Database& database, OperationLog& log, const Clock& clock,
                           NatsOperatorSettings settings)
    : root_(crypto::SecretBytes::copy_of(root)), database_(database), log_(log), clock_(clock), settings_(settings),
      operator_(derive(NkeyKind::kOperator, "operator")), system_(derive(NkeyKind::kAccount, "account/" + kSystem)),
      own_(derive(NkeyKind::kAccount, "account/" + kServiceManager)) {}

Nkey NatsOperator::derive(NkeyKind kind, const std::string& label) const {
  crypto::Ed25519Seed seed;
  const auto secret = crypto::hkdf_sha256(root_.span(), {}, as_bytes("tcfdl/1/nats/" + label), crypto::kEd25519KeySize);
  std::ranges::copy(secret.span(), seed.data());
  return Nkey::from_seed(kind, std::move(seed));
}

Nkey NatsOperator::account_key(const std::string& cluster) const {
  return derive(NkeyKind::kAccount, "account/" + cluster);
}

Result<std::string> NatsOperator::sign_account(const std::string& name, const Nkey& key,
                                               std::vector<std::string> signing_keys, bool expires) {
  message_queue::AccountClaims claims;
  claims.name = name;
  claims.account = key.public_text();
  claims.signing_keys = std::move(signing_keys);
  if (name != kSystem) claims.disk_storage = settings_.disk_storage; // the server refuses to start otherwise
  if (expires) claims.expires = clock_.now() + settings_.lifetime;
  TCFDL_TRY(database_.query("SELECT user, at FROM nats_revocations WHERE cluster = ?", {name},
                            [&](const database::Row& row) -> Status {
                              claims.revoked[row.text(0)] = row.integer(1) + settings_.clock_difference;
                              return {};
                            }));
  return message_queue::sign_account(operator_, claims, clock_.now());
}

Result<message_queue::ServerTrust> NatsOperator::own_trust() {
  message_queue::ServerTrust trust;
  TCFDL_ASSIGN(trust.operator_jwt, message_queue::sign_operator(operator_, {kOperator, system_.public_text()}));
  TCFDL_ASSIGN(trust.accounts[system_.public_text()], sign_account(kSystem, system_, {}, false));
  TCFDL_ASSIGN(trust.accounts[own_.public_text()], sign_account(kServiceManager, own_, {}, false));
  return trust;
}

Result<collaboration::ClusterAccount> NatsOperator::cluster_account(const std::string& cluster,
                                                                    const std::string& signing_key) {
  TCFDL_TRY(check_label(cluster, "cluster"));
  const auto key = account_key(cluster);
  collaboration::ClusterAccount account;
  account.set_system_account(system_.public_text());
  account.set_account(key.public_text());
  TCFDL_ASSIGN(*account.mutable_operator_jwt(),
               message_queue::sign_operator(operator_, {kOperator, system_.public_text()}));
  TCFDL_ASSIGN(*account.mutable_system_account_jwt(), sign_account(kSystem, system_, {}, false));
  TCFDL_ASSIGN(*account.mutable_account_jwt(), sign_account(cluster, key, {signing_key}, true));
  return account;
}

Result<collaboration::Credential> NatsOperator::sign_user(const Nkey& account, message_queue::UserClaims claims,
                                                          std::int64_t lifetime) {
  collaboration::Credential credential;
  credential.set_issued(clock_.now());
  credential.set_expires(clock_.now() + lifetime);
  claims.account = account.public_text();
  claims.expires = credential.expires();
  TCFDL_ASSIGN(*credential.mutable_jwt(), message_queue::sign_user(account, claims, clock_.now()));
  return credential;
}

Result<std::shared_ptr<message_queue::UserCredential>> NatsOperator::own_user(const std::string& name) {
  auto key = Nkey::generate(NkeyKind::kUser);
  message_queue::UserClaims claims;
  claims.name = name;
  claims.user = key.public_text();
  claims.account = own_.public_text();
  claims.permissions = collaboration::service_manager_permissions(name);
  TCFDL_ASSIGN(auto jwt, message_queue::sign_user(own_, claims, clock_.now()));
  return std::make_shared<message_queue::UserCredential>(std::move(key), std::move(jwt));
}

Result<collaboration::Credential> NatsOperator::master_user(const std::string& cluster, const std::string& user_key) {
  message_queue::UserClaims claims;
  claims.name = cluster;
  claims.user = user_key;
  claims.permissions = collaboration::cluster_permissions(cluster);
  return sign_user(own_, std::move(claims), settings_.lifetime);
}

Result<collaboration::Credential> NatsOperator::link_user(const std::string& cluster, const std::string& asking,
                                                          const std::string& user_key) {
  TCFDL_TRY(check_label(cluster, "cluster"));
  message_queue::UserClaims claims;
  claims.name = collaboration::link_user(asking);
  claims.user = user_key;
  claims.permissions = collaboration::link_permissions(asking);
  return sign_user(account_key(cluster), std::move(claims), settings_.link_lifetime);
}

Result<EnrollingUser> NatsOperator::enrolling_user(const std::string& cluster, UnixSeconds expires) {
  const auto key = Nkey::generate(NkeyKind::kUser);
  message_queue::UserClaims claims;
  claims.name = key.public_text();
  claims.user = key.public_text();
  claims.account = own_.public_text();
  claims.permissions = collaboration::enrolling_master_permissions(claims.name, cluster);
  claims.expires = expires;
  TCFDL_ASSIGN(auto jwt, message_queue::sign_user(own_, claims, clock_.now()));
  return EnrollingUser{std::string(as_text(key.seed_text().span())), std::move(jwt)};
}

Status NatsOperator::revoke(const std::string& cluster, const std::string& user_key) {
  TCFDL_TRY(message_queue::parse_public_nkey(user_key, NkeyKind::kUser));
  NatsUserRevoked revoked;
  revoked.set_cluster(cluster);
  revoked.set_user(user_key);
  TCFDL_TRY(log_.append(revoked));
  return {};
}

} // namespace tcfdl::service_manager::authority
