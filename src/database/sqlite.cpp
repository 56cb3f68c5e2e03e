#include "database/sqlite.hpp"

#include "base/file.hpp"

#include <fcntl.h>
#include <limits>
#include <map>
#include <mutex>
#include <sqlite3.h>
#include <sys/stat.h>

namespace tcfdl::database {
namespace {

constexpr std::size_t kMostStatements = 256;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, Finalize>;

Code code_of(int extended) {
  if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) return Code::kAlreadyExists;
  switch (extended & 0xff) {
  case SQLITE_CONSTRAINT: return Code::kFailedPrecondition;
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return Code::kUnavailable;
  case SQLITE_FULL:
  case SQLITE_NOMEM: return Code::kResourceExhausted;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return Code::kDataLoss;
  case SQLITE_PERM:
  case SQLITE_READONLY: return Code::kPermissionDenied;
  case SQLITE_ERROR:
  case SQLITE_RANGE:
  case SQLITE_TOOBIG: return Code::kInvalidArgument;
  default: return Code::kInternal;
  }
}

/// What to do about it, where that is for the operator.
std::string_view remedy_of(Code code) {
  switch (code) {
  case Code::kDataLoss: return "; the file is damaged: stop the daemon and restore a backup (docs/backup.md)";
  case Code::kResourceExhausted: return "; free some room on its disk";
  default: return "";
  }
}

int bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, index, *integer);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<Bytes>(&value)) {
    if (blob->empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, blob->data(), blob->size(), SQLITE_STATIC);
  }
  return sqlite3_bind_null(statement, index);
}

Status make_private(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile));
  if (!fd.valid()) return errno_error("cannot open the database", path);
  if (::fchmod(fd.get(), kPrivateFile) != 0) return errno_error("cannot make private the database", path);
  return {};
}

} // namespace

bool Row::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Bytes Row::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return data == nullptr ? Bytes() : Bytes(data, data + sqlite3_column_bytes(statement_, column));
}

/// The handle, its statements and the lock around both.
class Database::Connection {
public:
  explicit Connection(std::filesystem::path path) : path_(std::move(path)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    idle_.clear();
    sqlite3_close(handle_);
  }

  std::recursive_mutex& mutex() { return mutex_; }
  /// Transactions open on this connection, nested ones included.
  int& depth() { return depth_; }

  Status open(const DatabaseSettings& settings) {
    TCFDL_TRY(make_private(path_));
    constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path_.c_str(), &handle_, kFlags, nullptr) != SQLITE_OK) return error("cannot open it");
    sqlite3_busy_timeout(handle_, static_cast<int>(settings.busy_timeout.count()));
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    // A log that grew with one large transaction is cut to this at the next checkpoint.
    TCFDL_TRY(script("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=16777216;"));
    return script(settings.durable ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;");
  }

  Status script(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error("cannot run a script");
    return {};
  }

  Status run(std::string_view sql, std::initializer_list<Value> values, const std::function<Status(const Row&)>& use) {
    TCFDL_ASSIGN(auto statement, take(sql));
    auto outcome = step(statement.get(), values, use);
    sqlite3_reset(statement.get());
    sqlite3_clear_bindings(statement.get());
    if (idle_.size() < kMostStatements) idle_.try_emplace(std::string(sql), std::move(statement));
    return outcome;
  }

  std::int64_t changes() { return sqlite3_changes64(handle_); }

private:
  /// A statement is out of the cache while it runs, so a callback may run the same text.
  Result<StatementPtr> take(std::string_view sql) {
    if (auto found = idle_.find(sql); found != idle_.end()) return std::move(idle_.extract(found).mapped());
    if (sql.size() > std::numeric_limits<int>::max()) return make_error(Code::kInvalidArgument, "the SQL is too long");
    sqlite3_stmt* raw = nullptr;
    const int code =
        sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return error(sql);
    if (raw == nullptr) return make_error(Code::kInvalidArgument, "the SQL is empty");
    return StatementPtr(raw);
  }

  Status step(sqlite3_stmt* statement, std::initializer_list<Value> values,
              const std::function<Status(const Row&)>& use) {
    if (sqlite3_bind_parameter_count(statement) != static_cast<int>(values.size())) {
      return make_error(Code::kInvalidArgument, "`{}` takes {} values, {} were given", sqlite3_sql(statement),
                        sqlite3_bind_parameter_count(statement), values.size());
    }
    int index = 0;
    for (const auto& value : values) {
      if (bind(statement, ++index, value) != SQLITE_OK) return error(sqlite3_sql(statement));
    }
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      if (use) TCFDL_TRY(use(Row(statement)));
    }
    if (code != SQLITE_DONE) return error(sqlite3_sql(statement));
    return {};
  }

  [[nodiscard]] Error error(std::string_view during) const {
    const auto code = code_of(sqlite3_extended_errcode(handle_));
    return make_error(code, "database {}: {}: {}{}", path_.string(), during, sqlite3_errmsg(handle_), remedy_of(code));
  }

  const std::filesystem::path path_;
  std::recursive_mutex mutex_;
  // guarded by mutex_
  sqlite3* handle_ = nullptr;
  std::map<std::string, StatementPtr, std::less<>> idle_;
  int depth_ = 0;
};

Database::Database(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& path, DatabaseSettings settings) {
  auto connection = std::make_unique<Connection>(path);
  TCFDL_TRY(connection->open(settings));
  return std::unique_ptr<Database>(new Database(std::move(connection)));
}

Result<std::int64_t> Database::execute(std::string_view sql, std::initializer_list<Value> values) {
  const std::scoped_lock lock(connection_->mutex());
  TCFDL_TRY(connection_->run(sql, values, nullptr));
  return connection_->changes();
}

Status Database::query(std::string_view sql, std::initializer_list<Value> values,
                       const std::function<Status(const Row&)>& use) {
  const std::scoped_lock lock(connection_->mutex());
  return connection_->run(sql, values, use);
}

Status Database::transaction(const std::function<Status()>& work) {
  const std::scoped_lock lock(connection_->mutex());
  const auto name = fmt::format("level_{}", connection_->depth());
  const bool outermost = connection_->depth() == 0;
  TCFDL_TRY(connection_->script(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT " + name));
  ++connection_->depth();
  auto outcome = work();
  --connection_->depth();
  if (outcome) outcome = connection_->script(outermost ? "COMMIT" : "RELEASE " + name);
  if (outcome) return outcome;
  // SQLite may have rolled back by itself (a full disk); the first error is the one to tell.
  std::ignore = connection_->script(outermost ? "ROLLBACK" : "ROLLBACK TO " + name + "; RELEASE " + name);
  return outcome;
}

Status Database::migrate(const std::string& owner, std::span<const std::string_view> scripts) {
  const std::scoped_lock lock(connection_->mutex());
  TCFDL_TRY(execute("CREATE TABLE IF NOT EXISTS schema_versions(owner TEXT PRIMARY KEY, version INTEGER NOT NULL) "
                    "WITHOUT ROWID, STRICT"));
  const auto number = [](const Row& row) { return row.integer(0); };
  TCFDL_ASSIGN(const auto own, query_one("SELECT version FROM schema_versions WHERE owner = ?", {owner}, number));
  // Before there was a version for each owner, a file had one.
  TCFDL_ASSIGN(const auto old, query_one("PRAGMA user_version", {}, number));
  const auto version = static_cast<std::size_t>(std::max<std::int64_t>(own.value_or(old.value_or(0)), 0));
  if (version > scripts.size()) {
    return make_error(Code::kFailedPrecondition,
                      "the database has schema {} of {}, this program knows {}: start a newer version of the program",
                      version, owner, scripts.size());
  }
  for (std::size_t next = version; next < scripts.size(); ++next) {
    auto done = transaction([&]() -> Status {
      TCFDL_TRY(connection_->script(std::string(scripts[next])));
      // A program of before would take the file for its own.
      if (old.value_or(0) > 0) TCFDL_TRY(connection_->script(fmt::format("PRAGMA user_version={}", next + 1)));
      TCFDL_TRY(execute("INSERT OR REPLACE INTO schema_versions(owner, version) VALUES (?, ?)",
                        {owner, static_cast<std::int64_t>(next) + 1}));
      return {};
    });
    if (!done) return done.error().within(fmt::format("migration to schema {} of {}", next + 1, owner));
  }
  return {};
}

Status Database::copy_to(const std::filesystem::path& file) {
  if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
    return make_error(Code::kAlreadyExists, "{} exists", file.string());
  }
  TCFDL_TRY(make_private(file));
  TCFDL_TRY(execute("VACUUM INTO ?", {file.string()}));
  return {};
}

Status Database::check() {
  TCFDL_ASSIGN(const auto found, query_one("PRAGMA integrity_check", {}, [](const Row& row) { return row.text(0); }));
  const auto verdict = found.value_or("it has no content");
  if (verdict == "ok") return {};
  return make_error(Code::kDataLoss, "the database is damaged: {}", verdict);
}

} // namespace tcfdl::database
