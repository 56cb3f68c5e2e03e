// An operator for one server that nobody else uses: benchmarks and tests.
#pragma once

#include "message_queue/nats_jwt.hpp"
#include "message_queue/server_config.hpp"
#include "message_queue/user_credential.hpp"

#include <memory>

namespace tcfdl::message_queue {

/// Keys made for this object's life, with one account that has JetStream. One thread.
class LocalTrust {
public:
  LocalTrust();

  [[nodiscard]] const std::string& account() const noexcept { return account_.public_text(); }
  /// What the server is to believe, with the revocations so far.
  [[nodiscard]] Result<ServerTrust> trust() const;
  /// A user of the account with a key of its own. `expires`: Unix seconds; 0: never.
  [[nodiscard]] Result<std::shared_ptr<UserCredential>> user(const std::string& name, Permissions permissions,
                                                             UnixSeconds expires = 0) const;
  /// A JWT for the user of this public nkey.
  [[nodiscard]] Result<std::string> sign(const std::string& user, const std::string& name, Permissions permissions,
                                         UnixSeconds expires = 0) const;
  /// Voids what was issued to the key until now; the server learns of it by `trust()`.
  void revoke(const std::string& user);

private:
  SystemClock clock_;
  Nkey operator_;
  Nkey system_account_;
  Nkey account_;
  std::map<std::string, UnixSeconds> revoked_;
};

/// May do everything in its account but administrate the server.
Permissions every_permission();

} // namespace tcfdl::message_queue
