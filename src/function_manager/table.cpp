#include "function_manager/table.hpp"

#include <array>

namespace tcfdl::function_manager {
namespace {

using database::Row;

/// Schemas, in the order in which they came; the first four were there before their versions were kept.
constexpr std::array<std::string_view, 6> kTables = {
    "CREATE TABLE IF NOT EXISTS functions (name TEXT PRIMARY KEY, descriptor BLOB NOT NULL, manifest BLOB NOT NULL, "
    "settings TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, registered INTEGER NOT NULL, "
    "registration_error TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS function_names (name TEXT PRIMARY KEY, owner_key BLOB NOT NULL, "
    "version INTEGER NOT NULL, statement BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS pending_unregistrations (name TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS function_content_keys (name TEXT PRIMARY KEY, package BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS function_candidates (name TEXT PRIMARY KEY, descriptor BLOB NOT NULL, "
    "manifest BLOB NOT NULL, settings TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, "
    "content_key BLOB)",
    "CREATE TABLE IF NOT EXISTS function_rollbacks (name TEXT PRIMARY KEY, version INTEGER NOT NULL, "
    "reason TEXT NOT NULL, time INTEGER NOT NULL)"};

constexpr std::string_view kCandidateColumns =
    "SELECT descriptor, manifest, settings, created, updated, 0, '', content_key FROM function_candidates";

constexpr std::string_view kColumns =
    "SELECT descriptor, manifest, settings, created, updated, registered, registration_error, (SELECT package FROM "
    "function_content_keys AS keys WHERE keys.name = functions.name) FROM functions";

Result<FunctionRecord> read_record(const Row& row) {
  FunctionRecord record;
  TCFDL_ASSIGN(record.signed_descriptor, wire::parse<wire::Signed>(row.blob(0)));
  TCFDL_ASSIGN(record.descriptor, wire::parse<wire::Descriptor>(record.signed_descriptor.statement()));
  record.manifest = row.blob(1);
  TCFDL_ASSIGN(record.settings, parse_settings(row.text(2)));
  record.created = row.integer(3);
  record.updated = row.integer(4);
  record.registered = row.integer(5) != 0;
  record.registration_error = row.text(6);
  if (row.is_null(7)) return record;
  TCFDL_ASSIGN(record.content_key, wire::parse<wire::KeyPackage>(row.blob(7)));
  return record;
}

} // namespace

Result<FunctionTable> FunctionTable::open(database::Database& database) {
  TCFDL_TRY(database.migrate("functions", kTables));
  return FunctionTable(database);
}

Status FunctionTable::put(const FunctionRecord& record) {
  const auto& name = record.descriptor.name();
  return database_->transaction([&]() -> Status {
    TCFDL_TRY(database_->execute(
        "INSERT OR REPLACE INTO functions (name, descriptor, manifest, settings, created, updated, registered, "
        "registration_error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        {name, wire::serialize(record.signed_descriptor), record.manifest, write_settings(record.settings),
         record.created, record.updated, std::int64_t{record.registered}, record.registration_error}));
    TCFDL_TRY(put_name(record));
    TCFDL_TRY(put_content_key(record));
    TCFDL_TRY(database_->execute("DELETE FROM function_candidates WHERE name = ?", {name}));
    TCFDL_TRY(database_->execute("DELETE FROM function_rollbacks WHERE name = ?", {name}));
    return forget_unregistration(name);
  });
}

Status FunctionTable::put_name(const FunctionRecord& record) {
  TCFDL_TRY(database_->execute(
      "INSERT OR REPLACE INTO function_names (name, owner_key, version, statement) VALUES (?, ?, ?, ?)",
      {record.descriptor.name(), to_bytes(record.descriptor.owner_key()),
       static_cast<std::int64_t>(record.descriptor.version()), to_bytes(record.signed_descriptor.statement())}));
  return {};
}

Status FunctionTable::put_candidate(const FunctionRecord& record) {
  const auto& name = record.descriptor.name();
  const auto key = record.content_key ? database::Value(wire::serialize(*record.content_key)) : database::Value();
  return database_->transaction([&]() -> Status {
    TCFDL_TRY(database_->execute("INSERT OR REPLACE INTO function_candidates (name, descriptor, manifest, settings, "
                                 "created, updated, content_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
                                 {name, wire::serialize(record.signed_descriptor), record.manifest,
                                  write_settings(record.settings), record.created, record.updated, key}));
    TCFDL_TRY(database_->execute("DELETE FROM function_rollbacks WHERE name = ?", {name}));
    return put_name(record);
  });
}

Result<std::optional<FunctionRecord>> FunctionTable::candidate(const std::string& name) {
  std::optional<FunctionRecord> found;
  TCFDL_TRY(
      database_->query(fmt::format("{} WHERE name = ?", kCandidateColumns), {name}, [&](const Row& row) -> Status {
        TCFDL_ASSIGN(found, read_record(row));
        return {};
      }));
  return found;
}

Result<std::vector<FunctionRecord>> FunctionTable::candidates() {
  std::vector<FunctionRecord> records;
  TCFDL_TRY(database_->query(fmt::format("{} ORDER BY name", kCandidateColumns), {}, [&](const Row& row) -> Status {
    TCFDL_ASSIGN(auto record, read_record(row));
    records.push_back(std::move(record));
    return {};
  }));
  return records;
}

Status FunctionTable::give_up_candidate(const std::string& name, const Rollback& rollback) {
  return database_->transaction([&]() -> Status {
    TCFDL_TRY(database_->execute("DELETE FROM function_candidates WHERE name = ?", {name}));
    TCFDL_TRY(database_->execute(
        "INSERT OR REPLACE INTO function_rollbacks (name, version, reason, time) VALUES (?, ?, ?, ?)",
        {name, static_cast<std::int64_t>(rollback.version), rollback.reason, rollback.time}));
    return {};
  });
}

Result<std::optional<Rollback>> FunctionTable::rollback(const std::string& name) {
  return database_->query_one(
      "SELECT version, reason, time FROM function_rollbacks WHERE name = ?", {name},
      [](const Row& row) { return Rollback{static_cast<std::uint64_t>(row.integer(0)), row.text(1), row.integer(2)}; });
}

Status FunctionTable::set_settings(const std::string& name, const FunctionSettings& settings) {
  TCFDL_TRY(database_->execute("UPDATE functions SET settings = ? WHERE name = ?", {write_settings(settings), name}));
  return {};
}

Status FunctionTable::put_content_key(const FunctionRecord& record) {
  const auto& name = record.descriptor.name();
  TCFDL_TRY(database_->execute("DELETE FROM function_content_keys WHERE name = ?", {name}));
  if (!record.content_key) return {};
  TCFDL_TRY(database_->execute("INSERT INTO function_content_keys (name, package) VALUES (?, ?)",
                               {name, wire::serialize(*record.content_key)}));
  return {};
}

Result<std::optional<FunctionRecord>> FunctionTable::find(const std::string& name) {
  std::optional<FunctionRecord> found;
  TCFDL_TRY(database_->query(fmt::format("{} WHERE name = ?", kColumns), {name}, [&](const Row& row) -> Status {
    TCFDL_ASSIGN(found, read_record(row));
    return {};
  }));
  return found;
}

Result<std::vector<FunctionRecord>> FunctionTable::list() {
  std::vector<FunctionRecord> records;
  TCFDL_TRY(database_->query(fmt::format("{} ORDER BY name", kColumns), {}, [&](const Row& row) -> Status {
    TCFDL_ASSIGN(auto record, read_record(row));
    records.push_back(std::move(record));
    return {};
  }));
  return records;
}

Result<std::optional<KnownName>> FunctionTable::known(const std::string& name) {
  return database_->query_one(
      "SELECT owner_key, version, statement FROM function_names WHERE name = ?", {name}, [](const Row& row) {
        return KnownName{
            .owner_key = row.blob(0), .version = static_cast<std::uint64_t>(row.integer(1)), .statement = row.blob(2)};
      });
}

Status FunctionTable::remove(const std::string& name) {
  return database_->transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto removed, database_->execute("DELETE FROM functions WHERE name = ?", {name}));
    if (removed == 0) return make_error(Code::kNotFound, "no function {} is deployed here", name);
    for (const auto* table : {"function_content_keys", "function_candidates", "function_rollbacks"}) {
      TCFDL_TRY(database_->execute(fmt::format("DELETE FROM {} WHERE name = ?", table), {name}));
    }
    TCFDL_TRY(database_->execute("INSERT OR IGNORE INTO pending_unregistrations (name) VALUES (?)", {name}));
    return {};
  });
}

Result<std::vector<std::string>> FunctionTable::pending_unregistrations() {
  std::vector<std::string> names;
  TCFDL_TRY(
      database_->query("SELECT name FROM pending_unregistrations ORDER BY name", {}, [&](const Row& row) -> Status {
        names.push_back(row.text(0));
        return {};
      }));
  return names;
}

Status FunctionTable::forget_unregistration(const std::string& name) {
  TCFDL_TRY(database_->execute("DELETE FROM pending_unregistrations WHERE name = ?", {name}));
  return {};
}

Status FunctionTable::set_registration(const std::string& name, std::uint64_t version, const std::string& error) {
  TCFDL_ASSIGN(const auto held, find(name));
  if (!held || held->descriptor.version() != version) return {};
  TCFDL_TRY(database_->execute("UPDATE functions SET registered = ?, registration_error = ? WHERE name = ?",
                               {std::int64_t{error.empty()}, error, name}));
  return {};
}

} // namespace tcfdl::function_manager
