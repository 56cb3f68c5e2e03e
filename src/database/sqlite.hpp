// One SQLite database file: durable, typed, safe to share between threads.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <tcfdl/bytes.hpp>
#include <variant>

struct sqlite3_stmt;

namespace tcfdl::database {

/// A bound parameter: NULL, an integer, text or a blob.
using Value = std::variant<std::monostate, std::int64_t, std::string, Bytes>;

/// The current row of a query; valid only during the callback that receives it. Columns count from 0. SQLite converts
/// between types as its documentation of `sqlite3_column_*` says; NULL reads as 0 or empty.
class Row {
public:
  explicit Row(sqlite3_stmt* statement) noexcept : statement_(statement) {}
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] Bytes blob(int column) const;

private:
  sqlite3_stmt* statement_;
};

struct DatabaseSettings {
  /// A commit is on disk when it returns (`synchronous=FULL`). Without it (`NORMAL`) the last commits may be lost with
  /// the power, consistency is not.
  bool durable = true;
  /// How long a statement waits for another process's lock.
  std::chrono::milliseconds busy_timeout{5000};
};

/// Owns one connection. Every member may be called from any thread; calls are serialised by a recursive mutex, which a
/// transaction holds to its end, so a callback may use the database again. Prepared statements are kept by their text:
/// pass values as parameters, never inside the SQL.
/// Errors: ALREADY_EXISTS for a unique or primary key, FAILED_PRECONDITION for other constraints, UNAVAILABLE when
/// locked, RESOURCE_EXHAUSTED for a full disk, DATA_LOSS for a damaged file, INVALID_ARGUMENT for SQL that does not
/// parse.
class Database {
public:
  /// Opens or creates a file of mode 0600 in WAL mode with foreign keys enforced. The directory must exist.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path, DatabaseSettings settings = {});
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Runs one statement and ignores its rows. Gives the number of rows that it changed.
  Result<std::int64_t> execute(std::string_view sql, std::initializer_list<Value> values = {});

  /// Calls `use` for every row until it returns an error, which is passed on.
  Status query(std::string_view sql, std::initializer_list<Value> values, const std::function<Status(const Row&)>& use);

  /// What `read(Row)` makes of the first row; nullopt without rows.
  template <class Read> auto query_one(std::string_view sql, std::initializer_list<Value> values, Read read)
      -> Result<std::optional<decltype(read(std::declval<const Row&>()))>> {
    std::optional<decltype(read(std::declval<const Row&>()))> found;
    TCFDL_TRY(query(sql, values, [&](const Row& row) -> Status {
      if (!found) found.emplace(read(row));
      return {};
    }));
    return found;
  }

  /// Commits if `work` succeeds, otherwise undoes all of it and returns its error. Inside another transaction, the
  /// inner one is undone alone. Other threads wait meanwhile.
  Status transaction(const std::function<Status()>& work);

  /// Brings the tables of one owner to `scripts.size()`: runs, each in a transaction, the scripts that are missing.
  /// Scripts are only ever appended. FAILED_PRECONDITION if a newer program wrote the database. The first script of an
  /// owner whose tables were there before their versions were kept says IF NOT EXISTS.
  Status migrate(const std::string& owner, std::span<const std::string_view> scripts);

  /// Writes the content of now to a new file of mode 0600, without waiting for writers. ALREADY_EXISTS.
  Status copy_to(const std::filesystem::path& file);

  /// DATA_LOSS, with what is wrong, unless every page and index is as it should be.
  Status check();

private:
  class Connection;
  explicit Database(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

} // namespace tcfdl::database
