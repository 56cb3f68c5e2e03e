// Who may administer a cluster: people and programs by name, each with a role and a bearer token.
#pragma once

#include "base/clock.hpp"
#include "crypto/hash.hpp"
#include "database/sqlite.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tcfdl::security_manager {

/// Each may all that those before it may.
enum class AccessRole : std::uint8_t {
  kViewer = 1, ///< sees status, functions and metrics
  kCaller,     ///< calls functions
  kDeployer,   ///< deploys and removes functions, reads their logs
  kAdmin,      ///< admits nodes and people, reads the audit log
};

std::string_view role_name(AccessRole role);
/// INVALID_ARGUMENT names the roles there are.
Result<AccessRole> parse_access_role(std::string_view name);

struct Principal {
  std::string name;
  AccessRole role = AccessRole::kViewer;
};

struct AccessEntry {
  Principal principal;
  UnixSeconds created = 0;
  UnixSeconds expires = 0;
};

struct IssuedAccess {
  std::string token; ///< a secret, told this once: only its hash is kept; empty for a client
  UnixSeconds expires = 0;
};

/// Thread-safe. The database outlives it. A change holds from the next request on.
class AccessControl {
public:
  /// `owner_token`: of the principal `owner`, an admin that cannot be revoked.
  static Result<std::unique_ptr<AccessControl>> open(database::Database& database, const Clock& clock,
                                                     const std::string& owner_token);

  /// A label is the name of who gets a token. `client:NAME` is an enrolled client, which shows its certificate and gets
  /// none. INVALID_ARGUMENT for another name or a lifetime (seconds) outside of 1 … one year; ALREADY_EXISTS for a name
  /// whose access has not expired.
  Result<IssuedAccess> create(const std::string& name, AccessRole role, std::int64_t lifetime);

  /// NOT_FOUND; PERMISSION_DENIED for the owner.
  Status revoke(const std::string& name);

  /// Those whose access has not expired, by name; without the owner and clients that nobody gave a role.
  Result<std::vector<AccessEntry>> list() const;

  /// Whose token that is. nullopt for one that is unknown, revoked or expired, and when the database fails.
  [[nodiscard]] std::optional<Principal> authenticate(std::string_view token) const;

  /// Who an enrolled client is here, whose certificate was verified: `client:NAME`, a caller unless it was given
  /// another role. Errors of the database.
  [[nodiscard]] Result<Principal> client(const std::string& name) const;

private:
  AccessControl(database::Database& database, const Clock& clock, const crypto::Sha256Digest& owner)
      : database_(database), clock_(clock), owner_(owner) {}

  database::Database& database_;
  const Clock& clock_;
  const crypto::Sha256Digest owner_; // of the owner's token
};

} // namespace tcfdl::security_manager
