// The NATS operator: accounts of clusters and the users that only the service manager issues.
#pragma once

#include "collaboration/credentials.pb.h"
#include "message_queue/nats_jwt.hpp"
#include "message_queue/server_config.hpp"
#include "message_queue/user_credential.hpp"
#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager::authority {

struct NatsOperatorSettings {
  /// Of accounts and of masters' users, seconds; renewed at half of it.
  std::int64_t lifetime = 30L * 24 * 3600;
  /// Of users at other clusters' servers.
  std::int64_t link_lifetime = 3600;
  /// How far a master's clock may be ahead: what it issued until then is void with a revocation.
  std::int64_t clock_difference = 300;
  /// JetStream's room for each account, bytes.
  std::int64_t disk_storage = std::int64_t{1} << 30U;
};

/// What an enrolment token carries.
struct EnrollingUser {
  std::string seed; ///< a secret, as the token is
  std::string jwt;
};

/// Its keys are derived from one root: HKDF-SHA256(root, 'tcfdl/1/nats/' ‖ operator | account/<name>). Every cluster
/// has an account, and so has the service manager's own server. Any thread; log, database and clock outlive it.
class NatsOperator {
public:
  NatsOperator(BytesView root, database::Database& database, OperationLog& log, const Clock& clock,
               NatsOperatorSettings settings = {});

  /// What the service manager's own server believes.
  Result<message_queue::ServerTrust> own_trust();
  /// The service manager's user there, with a key made now; it does not expire, since its issuer holds it.
  Result<std::shared_ptr<message_queue::UserCredential>> own_user(const std::string& name);

  /// What the server of a cluster believes: users that `signing_key` signed, but those who are revoked.
  /// INVALID_ARGUMENT for a bad name or key.
  Result<collaboration::ClusterAccount> cluster_account(const std::string& cluster, const std::string& signing_key);
  /// The user of the cluster's master at the service manager's server.
  Result<collaboration::Credential> master_user(const std::string& cluster, const std::string& user_key);
  /// The user of the master of `asking` at the server of `cluster`.
  Result<collaboration::Credential> link_user(const std::string& cluster, const std::string& asking,
                                              const std::string& user_key);
  /// A user that can do nothing but enrol as the cluster's master, until then.
  Result<EnrollingUser> enrolling_user(const std::string& cluster, UnixSeconds expires);

  /// Voids what the user of the cluster's account was issued until now; effective with the next account.
  Status revoke(const std::string& cluster, const std::string& user_key);

  /// The key of a cluster's account, which signs its users.
  [[nodiscard]] message_queue::Nkey account_key(const std::string& cluster) const;

private:
  [[nodiscard]] message_queue::Nkey derive(message_queue::NkeyKind kind, const std::string& label) const;
  Result<std::string> sign_account(const std::string& name, const message_queue::Nkey& key,
                                   std::vector<std::string> signing_keys, bool expires);
  Result<collaboration::Credential> sign_user(const message_queue::Nkey& account, message_queue::UserClaims claims,
                                              std::int64_t lifetime);

  const crypto::SecretBytes root_;
  database::Database& database_;
  OperationLog& log_;
  const Clock& clock_;
  const NatsOperatorSettings settings_;
  const message_queue::Nkey operator_;
  const message_queue::Nkey system_;
  const message_queue::Nkey own_;
};

} // namespace tcfdl::service_manager::authority
