#include "service_manager/registry/operations.hpp"

#include "service_manager/operations.pb.h"
#include "wire/descriptor.hpp"

namespace tcfdl::service_manager::registry {
namespace {

using database::Database;
using database::Row;

Status apply_renewed(Database& database, const ClusterRenewed& renewed, const Operation& operation) {
  TCFDL_TRY(
      database.execute("INSERT OR REPLACE INTO clusters (cluster, link, certificate, lifetime, expires) "
                       "VALUES (?, ?, ?, ?, ?)",
                       {renewed.cluster(), wire::serialize(renewed.link()), wire::serialize(renewed.certificate()),
                        renewed.lifetime(), operation.time + renewed.lifetime()}));
  return {};
}

Result<std::optional<wire::HeldName>> find_held(Database& database, const std::string& function) {
  std::optional<wire::HeldName> held;
  TCFDL_TRY(
      database.query("SELECT descriptor FROM functions WHERE function = ?", {function}, [&](const Row& row) -> Status {
        TCFDL_ASSIGN(const auto current, wire::parse<wire::Signed>(row.blob(0)));
        TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(current.statement()));
        held = wire::held_name(descriptor, as_bytes(current.statement()));
        return {};
      }));
  return held;
}

/// Who subscribes to a topic must never hold the keys of a function, so one name is one or the other for good.
Status check_same_kind(Database& database, const wire::Descriptor& offered) {
  return database.query("SELECT descriptor FROM functions WHERE function = ?", {offered.name()},
                        [&](const Row& row) -> Status {
                          TCFDL_ASSIGN(const auto current, wire::parse<wire::Signed>(row.blob(0)));
                          TCFDL_ASSIGN(const auto before, wire::parse<wire::Descriptor>(current.statement()));
                          if (before.has_topic() == offered.has_topic()) return {};
                          return make_error(Code::kPermissionDenied, "{} is the name of a {}; choose another name",
                                            offered.name(), before.has_topic() ? "topic" : "function");
                        });
}

/// Ends the provision by clusters that a new version no longer admits.
Status drop_unadmitted(Database& database, const wire::Descriptor& descriptor) {
  std::vector<std::string> dropped;
  TCFDL_TRY(database.query("SELECT cluster FROM providers WHERE function = ?", {descriptor.name()},
                           [&](const Row& row) -> Status {
                             auto cluster = row.text(0);
                             if (!wire::admits_provider(descriptor, cluster)) dropped.push_back(std::move(cluster));
                             return {};
                           }));
  for (const auto& cluster : dropped) {
    TCFDL_TRY(
        database.execute("DELETE FROM providers WHERE function = ? AND cluster = ?", {descriptor.name(), cluster}));
  }
  return {};
}

Status add_provider(Database& database, const std::string& function, const std::string& cluster, std::int64_t most) {
  TCFDL_TRY(database.execute("INSERT OR IGNORE INTO providers (function, cluster) VALUES (?, ?)", {function, cluster}));
  TCFDL_ASSIGN(const auto count, database.query_one("SELECT count(*) FROM providers WHERE cluster = ?", {cluster},
                                                    [](const Row& row) { return row.integer(0); }));
  if (count.value_or(0) <= most) return {};
  return make_error(Code::kResourceExhausted, "cluster {} has {} functions registered already; remove some first",
                    cluster, most);
}

Status apply_registered(Database& database, const FunctionRegistered& registered, std::int64_t most) {
  TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(registered.descriptor().statement()));
  const auto offered = wire::held_name(descriptor, as_bytes(registered.descriptor().statement()));
  TCFDL_ASSIGN(const auto held, find_held(database, descriptor.name()));
  if (held) TCFDL_TRY(wire::check_succession(descriptor.name(), *held, offered));
  if (held) TCFDL_TRY(check_same_kind(database, descriptor));
  if (!held || offered.version > held->version) {
    TCFDL_TRY(
        database.execute("INSERT INTO functions (function, owner_key, version, descriptor) VALUES (?, ?, ?, ?) "
                         "ON CONFLICT (function) DO UPDATE SET version = excluded.version, "
                         "descriptor = excluded.descriptor",
                         {descriptor.name(), to_bytes(descriptor.owner_key()),
                          static_cast<std::int64_t>(descriptor.version()), wire::serialize(registered.descriptor())}));
    TCFDL_TRY(drop_unadmitted(database, descriptor));
    TCFDL_TRY(database.execute("DELETE FROM staged_functions WHERE function = ? AND version <= ?",
                               {descriptor.name(), static_cast<std::int64_t>(descriptor.version())}));
  }
  return add_provider(database, descriptor.name(), registered.cluster(), most);
}

Status apply_staged(Database& database, const FunctionStaged& staged, const Operation& /*operation*/) {
  TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(staged.descriptor().statement()));
  TCFDL_ASSIGN(const auto held, find_held(database, descriptor.name()));
  if (!held) {
    return make_error(Code::kNotFound, "no function {} is registered; its first version is registered, not staged",
                      descriptor.name());
  }
  const auto offered = wire::held_name(descriptor, as_bytes(staged.descriptor().statement()));
  TCFDL_TRY(wire::check_succession(descriptor.name(), *held, offered));
  TCFDL_TRY(database.execute("INSERT OR REPLACE INTO staged_functions (function, cluster, version, descriptor) "
                             "VALUES (?, ?, ?, ?)",
                             {descriptor.name(), staged.cluster(), static_cast<std::int64_t>(descriptor.version()),
                              wire::serialize(staged.descriptor())}));
  return {};
}

Status apply_withdrawn(Database& database, const FunctionWithdrawn& withdrawn, const Operation& /*operation*/) {
  TCFDL_TRY(database.execute("DELETE FROM staged_functions WHERE function = ? AND cluster = ?",
                             {withdrawn.function(), withdrawn.cluster()}));
  return {};
}

Status apply_unregistered(Database& database, const FunctionUnregistered& removed, const Operation& /*operation*/) {
  TCFDL_TRY(database.execute("DELETE FROM staged_functions WHERE function = ? AND cluster = ?",
                             {removed.function(), removed.cluster()}));
  TCFDL_ASSIGN(const auto changed, database.execute("DELETE FROM providers WHERE function = ? AND cluster = ?",
                                                    {removed.function(), removed.cluster()}));
  if (changed > 0) return {};
  return make_error(Code::kNotFound, "cluster {} provides no function {}", removed.cluster(), removed.function());
}

} // namespace

void teach(OperationLog& log, std::int64_t functions_per_cluster) {
  log.on<ClusterRenewed>(apply_renewed);
  log.on<FunctionRegistered>([functions_per_cluster](Database& database, const FunctionRegistered& registered,
                                                     const Operation& /*operation*/) {
    return apply_registered(database, registered, functions_per_cluster);
  });
  log.on<FunctionUnregistered>(apply_unregistered);
  log.on<FunctionStaged>(apply_staged);
  log.on<FunctionWithdrawn>(apply_withdrawn);
}

} // namespace tcfdl::service_manager::registry
