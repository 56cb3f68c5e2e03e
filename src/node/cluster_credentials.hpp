// A master as the issuer of its cluster's NATS users: it holds the signing key that the operator delegated to it.
#pragma once

#include "base/clock.hpp"
#include "collaboration/credentials.pb.h"
#include "message_queue/nats_jwt.hpp"
#include "message_queue/server_config.hpp"
#include "message_queue/user_credential.hpp"
#include "service_manager/authority/nats_operator.hpp"
#include "wire/signed.hpp"

#include <set>

namespace tcfdl::node {

struct ClusterCredentialsSettings {
  std::filesystem::path file; ///< which node has which user; nothing in it is secret
  std::string cluster;
  std::string node; ///< the master's
  /// Of nodes' users, seconds; never longer than the node's certificate.
  std::int64_t lifetime = 7L * 24 * 3600;
};

/// Works from the master's own disk while the service manager is out of reach. Any thread; authority and clock outlive
/// it.
class ClusterCredentials {
public:
  /// Reads which node has which user. DATA_LOSS if the file is damaged.
  static Result<std::unique_ptr<ClusterCredentials>> open(ClusterCredentialsSettings settings,
                                                          message_queue::Nkey signing,
                                                          collaboration::ClusterAccount account,
                                                          const crypto::VerifyKey& authority, const Clock& clock);

  [[nodiscard]] const std::string& signing_key() const noexcept { return signing_.public_text(); }
  /// What the cluster's server is to believe.
  [[nodiscard]] message_queue::ServerTrust trust() const;
  void set_account(collaboration::ClusterAccount account);

  /// The master's user, with a key made now; it does not expire, since its issuer holds it.
  Result<std::shared_ptr<message_queue::UserCredential>> own_user() const;
  /// A user that can do nothing but enrol, until then.
  Result<service_manager::authority::EnrollingUser> enrolling_user(UnixSeconds expires) const;
  /// An AuthenticatedRequest of a worker around a CredentialRequest; gives a CredentialReply. PERMISSION_DENIED for one
  /// who was revoked or is of another cluster.
  Result<Bytes> handle(BytesView request);

  /// Issues nothing more to the node's present key; gives the public nkey of its user, which is still in force. Again
  /// the same until it is forgotten. NOT_FOUND.
  Result<std::string> refuse(const std::string& node);
  /// Whether the node is this one, or a worker with a credential that is not revoked.
  [[nodiscard]] bool admits(const std::string& node) const;
  /// The nodes with a user, this one not among them.
  [[nodiscard]] std::vector<std::string> workers() const;
  /// Forgets a node whose user is void.
  Status forget(const std::string& node);

private:
  struct Known {
    std::string user;
    std::string verify_key; ///< hexadecimal
  };
  struct Users {
    std::map<std::string, Known> nodes;
    std::set<std::string> revoked; ///< verify keys
  };

  ClusterCredentials(ClusterCredentialsSettings settings, message_queue::Nkey signing,
                     collaboration::ClusterAccount account, const crypto::VerifyKey& authority, const Clock& clock)
      : settings_(std::move(settings)), signing_(std::move(signing)), authority_(authority), clock_(clock),
        account_(std::move(account)) {}
  Status read();
  Status write(const Users& users) const;
  Result<Bytes> issue(BytesView request);
  Status remember(const wire::Certificate& node, const std::string& user);
  Result<std::string> sign(message_queue::UserClaims claims) const;

  const ClusterCredentialsSettings settings_;
  const message_queue::Nkey signing_;
  const crypto::VerifyKey& authority_;
  const Clock& clock_;
  Guarded<collaboration::ClusterAccount> account_;
  Guarded<Users> users_;
};

} // namespace tcfdl::node
