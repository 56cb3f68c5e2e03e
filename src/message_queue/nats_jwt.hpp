// What the NATS server believes of operators, accounts and users: JWTs of its version 2, signed by nkeys.
// docs/formats/nats_credentials.md.
#pragma once

#include "base/clock.hpp"
#include "message_queue/nkey.hpp"

#include <map>
#include <vector>

namespace tcfdl::message_queue {

/// The root of trust of a server.
struct OperatorClaims {
  std::string name{};
  std::string system_account{}; ///< public nkey; nobody needs to connect to it
};

/// Subjects that its users share and no other account sees.
struct AccountClaims {
  std::string name{};
  std::string account{};                   ///< public nkey
  std::vector<std::string> signing_keys{}; ///< public nkeys of accounts, which may sign its users too
  /// Public nkeys of users → Unix seconds: what was issued until then is void.
  std::map<std::string, UnixSeconds> revoked{};
  std::int64_t disk_storage = 0; ///< bytes of JetStream; 0: no JetStream
  UnixSeconds expires = 0;       ///< 0: never
};

/// What a user may do: nothing that is not listed. Subjects with wildcards.
struct Permissions {
  std::vector<std::string> publish{};
  std::vector<std::string> subscribe{};
  /// Exceptions of the lists above.
  std::vector<std::string> deny_publish{};
  std::vector<std::string> deny_subscribe{};
  /// Whether it may answer, once each, what reaches it.
  bool answers = false;
};

struct UserClaims {
  std::string name{};
  std::string user{};    ///< public nkey
  std::string account{}; ///< public nkey of its account, whose own key or a signing key of which signs
  Permissions permissions{};
  UnixSeconds expires = 0; ///< 0: never
};

/// The same text whenever it is asked for: a server that runs does not change its operator.
/// INVALID_ARGUMENT as sign_account.
Result<std::string> sign_operator(const Nkey& signer, const OperatorClaims& claims);

/// INVALID_ARGUMENT for a key of another kind or a name or subject that does not fit (names: 1 to 128 visible ASCII
/// without quotes and backslashes). The signer is the operator.
Result<std::string> sign_account(const Nkey& signer, const AccountClaims& claims, UnixSeconds now);

/// The signer is of kind account. Nobody reaches the administration of JetStream accounts and servers, nor of the
/// server itself, whatever its lists say.
Result<std::string> sign_user(const Nkey& signer, const UserClaims& claims, UnixSeconds now);

/// Whether `text` has the form of a JWT, so that it may stand in the server's configuration: three parts of base64url
/// joined by dots, at most 64 KiB. Who signed it is the server's to check.
Status check_jwt_form(std::string_view text);

} // namespace tcfdl::message_queue
