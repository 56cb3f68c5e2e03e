#include "security_manager/access_control.hpp"

#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "crypto/random.hpp"
#include "crypto/secret.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::security_manager {
namespace {

constexpr std::string_view kOwner = "owner";
constexpr std::string_view kClient = "client:"; // no label has a colon
constexpr std::size_t kTokenBytes = 32;
constexpr std::int64_t kLongestLifetime = 366L * 24 * 3600;
constexpr std::array<std::pair<AccessRole, std::string_view>, 4> kRoles{{{AccessRole::kViewer, "viewer"},
                                                                         {AccessRole::kCaller, "caller"},
                                                                         {AccessRole::kDeployer, "deployer"},
                                                                         {AccessRole::kAdmin, "admin"}}};

Bytes digest_of(std::string_view token) {
  const auto digest = crypto::sha256(as_bytes(token));
  return {digest.begin(), digest.end()};
}

AccessEntry entry_of(const database::Row& row) {
  return {{row.text(0), static_cast<AccessRole>(row.integer(1))}, row.integer(2), row.integer(3)};
}

} // namespace

std::string_view role_name(AccessRole role) {
  const auto* const found = std::ranges::find(kRoles, role, &std::pair<AccessRole, std::string_view>::first);
  return found == kRoles.end() ? "none" : found->second;
}

Result<AccessRole> parse_access_role(std::string_view name) {
  const auto* const found = std::ranges::find(kRoles, name, &std::pair<AccessRole, std::string_view>::second);
  if (found != kRoles.end()) return found->first;
  return Error(Code::kInvalidArgument, "the role is none of viewer, caller, deployer, admin");
}

Result<std::unique_ptr<AccessControl>> AccessControl::open(database::Database& database, const Clock& clock,
                                                           const std::string& owner_token) {
  constexpr std::string_view kTable =
      "CREATE TABLE IF NOT EXISTS access (name TEXT PRIMARY KEY, role INTEGER NOT NULL, created INTEGER NOT NULL, "
      "expires INTEGER NOT NULL, token_digest BLOB NOT NULL UNIQUE) STRICT";
  TCFDL_TRY(database.migrate("access", std::array{kTable}));
  return std::unique_ptr<AccessControl>(
      new AccessControl(database, clock, crypto::sha256(as_bytes(std::string_view(owner_token)))));
}

Result<IssuedAccess> AccessControl::create(const std::string& name, AccessRole role, std::int64_t lifetime) {
  const bool is_client = name.starts_with(kClient);
  TCFDL_TRY(check_label(is_client ? std::string_view(name).substr(kClient.size()) : name, "the name"));
  if (name == kOwner) return Error(Code::kAlreadyExists, "'owner' is who started the cluster; choose another name");
  if (lifetime < 1 || lifetime > kLongestLifetime) {
    return Error(Code::kInvalidArgument, "access lasts from one second to one year");
  }
  const auto secret = crypto::random_array<kTokenBytes>();
  IssuedAccess issued{"tcfdla_" + to_base64url(secret), clock_.now() + lifetime};
  const auto insert = [&]() -> Status {
    TCFDL_TRY(database_.execute("DELETE FROM access WHERE expires <= ?", {clock_.now()}));
    TCFDL_TRY(database_.execute(
        "INSERT INTO access VALUES (?, ?, ?, ?, ?)",
        {name, static_cast<std::int64_t>(role), clock_.now(), issued.expires, digest_of(issued.token)}));
    return {};
  };
  const auto inserted = database_.transaction(insert);
  if (inserted && is_client) issued.token.clear(); // nobody gets to know it
  if (inserted) return issued;
  if (inserted.error().code() != Code::kAlreadyExists) return inserted.error();
  return make_error(Code::kAlreadyExists, "{} has access already; revoke it first, or choose another name", name);
}

Status AccessControl::revoke(const std::string& name) {
  if (name == kOwner) return Error(Code::kPermissionDenied, "the owner's access cannot be revoked");
  TCFDL_ASSIGN(const auto removed, database_.execute("DELETE FROM access WHERE name = ?", {name}));
  if (removed > 0) return {};
  return make_error(Code::kNotFound, "nobody of the name {} has access", name);
}

Result<std::vector<AccessEntry>> AccessControl::list() const {
  std::vector<AccessEntry> entries;
  const auto add = [&](const database::Row& row) -> Status {
    entries.push_back(entry_of(row));
    return {};
  };
  TCFDL_TRY(database_.query("SELECT name, role, created, expires FROM access WHERE expires > ? ORDER BY name",
                            {clock_.now()}, add));
  return entries;
}

std::optional<Principal> AccessControl::authenticate(std::string_view token) const {
  const auto digest = digest_of(token);
  if (crypto::equal_constant_time(digest, owner_)) return Principal{std::string(kOwner), AccessRole::kAdmin};
  const auto found =
      database_.query_one("SELECT name, role, created, expires FROM access WHERE token_digest = ? AND expires > ?",
                          {digest, clock_.now()}, entry_of);
  if (!found) {
    spdlog::error("access control: {}", found.error().message());
    return std::nullopt;
  }
  const auto& entry = *found;
  return entry ? std::optional(entry->principal) : std::nullopt;
}

Result<Principal> AccessControl::client(const std::string& name) const {
  auto principal = Principal{std::string(kClient) + name, AccessRole::kCaller};
  TCFDL_ASSIGN(const auto entry,
               database_.query_one("SELECT name, role, created, expires FROM access WHERE name = ? AND expires > ?",
                                   {principal.name, clock_.now()}, entry_of));
  if (entry) principal.role = entry->principal.role;
  return principal;
}

} // namespace tcfdl::security_manager
