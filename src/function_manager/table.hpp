// The tables of functions, of the names that were ever deployed, and of unregistrations that are still to be told.
#pragma once

#include "database/sqlite.hpp"
#include "function_manager/record.hpp"

#include <optional>

namespace tcfdl::function_manager {

/// What a name is bound to, also after its function was removed.
struct KnownName {
  Bytes owner_key;
  std::uint64_t version = 0;
  Bytes statement; ///< of the descriptor
};

/// Records in SQLite. Any thread; the database outlives it.
class FunctionTable {
public:
  /// Creates missing tables. It shares the database with other modules and leaves `user_version` alone.
  static Result<FunctionTable> open(database::Database& database);

  /// Stores a function and its name in one transaction; a pending unregistration of it is forgotten, and so are a
  /// candidate and what was given up before.
  Status put(const FunctionRecord& record);
  Result<std::optional<FunctionRecord>> find(const std::string& name);
  /// By name, in order.
  Result<std::vector<FunctionRecord>> list();
  Result<std::optional<KnownName>> known(const std::string& name);

  /// A version that is tried beside the one in force; its name's version goes up with it, and what was given up before
  /// is forgotten.
  Status put_candidate(const FunctionRecord& record);
  Result<std::optional<FunctionRecord>> candidate(const std::string& name);
  Result<std::vector<FunctionRecord>> candidates();
  /// The trial's end: the candidate is gone, and noted as given up.
  Status give_up_candidate(const std::string& name, const Rollback& rollback);
  /// The last one, until another version is in force.
  Result<std::optional<Rollback>> rollback(const std::string& name);

  Status set_settings(const std::string& name, const FunctionSettings& settings);

  /// Deletes the function and notes that the registry is to be told. NOT_FOUND if there is none.
  Status remove(const std::string& name);
  Result<std::vector<std::string>> pending_unregistrations();
  Status forget_unregistration(const std::string& name);

  /// Notes the registry's last answer; an empty error means registered.
  Status set_registration(const std::string& name, std::uint64_t version, const std::string& error);

private:
  explicit FunctionTable(database::Database& database) : database_(&database) {}
  Status put_content_key(const FunctionRecord& record);
  Status put_name(const FunctionRecord& record);

  database::Database* database_;
};

} // namespace tcfdl::function_manager
