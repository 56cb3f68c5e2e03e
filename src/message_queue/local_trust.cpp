#include "message_queue/local_trust.hpp"

namespace tcfdl::message_queue {
namespace {

constexpr std::int64_t kDiskStorage = std::int64_t{1} << 30U;

} // namespace

LocalTrust::LocalTrust()
    : operator_(Nkey::generate(NkeyKind::kOperator)), system_account_(Nkey::generate(NkeyKind::kAccount)),
      account_(Nkey::generate(NkeyKind::kAccount)) {}

Result<ServerTrust> LocalTrust::trust() const {
  const auto now = clock_.now();
  ServerTrust trust;
  TCFDL_ASSIGN(trust.operator_jwt, sign_operator(operator_, {"local", system_account_.public_text()}));
  const AccountClaims system{.name = "system", .account = system_account_.public_text()};
  const AccountClaims shared{.name = "local", .account = account(), .revoked = revoked_, .disk_storage = kDiskStorage};
  TCFDL_ASSIGN(trust.accounts[system.account], sign_account(operator_, system, now));
  TCFDL_ASSIGN(trust.accounts[shared.account], sign_account(operator_, shared, now));
  return trust;
}

Result<std::shared_ptr<UserCredential>> LocalTrust::user(const std::string& name, Permissions permissions,
                                                         UnixSeconds expires) const {
  auto credential = std::make_shared<UserCredential>(Nkey::generate(NkeyKind::kUser), std::string());
  TCFDL_ASSIGN(auto jwt, sign(credential->public_text(), name, std::move(permissions), expires));
  credential->replace(std::move(jwt));
  return credential;
}

Result<std::string> LocalTrust::sign(const std::string& user, const std::string& name, Permissions permissions,
                                     UnixSeconds expires) const {
  return sign_user(
      account_,
      {.name = name, .user = user, .account = account(), .permissions = std::move(permissions), .expires = expires},
      clock_.now());
}

void LocalTrust::revoke(const std::string& user) { revoked_[user] = clock_.now(); }

Permissions every_permission() { return {.publish = {">"}, .subscribe = {">"}, .answers = true}; }

} // namespace tcfdl::message_queue
