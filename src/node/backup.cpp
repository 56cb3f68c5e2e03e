#include "node/backup.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "crypto/hash.hpp"
#include "function_manager/function_manager.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <vector>

namespace tcfdl::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* kList = "backup.json";
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kLargestList = std::size_t{256} << 20U;
constexpr std::size_t kPiece = std::size_t{1} << 20U;
constexpr int kAttempts = 5;
constexpr mode_t kModes = 0777;
constexpr std::string_view kDatabase = ".sqlite";

/// A file of a backup. The path is relative to the state directory.
struct Entry {
  std::string path;
  std::uint64_t size = 0;
  std::string digest; ///< SHA-256, hexadecimal
  mode_t mode = 0;
};

/// A directory that is removed with its content unless it is given its final name.
class Draft {
public:
  static Result<Draft> beside(const fs::path& final_name) {
    const auto absolute = fs::absolute(final_name).lexically_normal();
    Draft draft(absolute.parent_path() / fmt::format(".{}.{}", absolute.filename().string(), make_uuid()));
    TCFDL_TRY(make_private_directory(draft.path_));
    return draft;
  }
  Draft(Draft&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const noexcept { return path_; }
  Status finish(const fs::path& final_name) {
    if (::rename(path_.c_str(), final_name.c_str()) != 0) return errno_error("cannot make", final_name);
    path_.clear();
    return {};
  }

private:
  explicit Draft(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

/// What daemons make anew, and what belongs to processes that run: at the root of a state directory or below.
bool is_left_out(const fs::path& relative) {
  static const std::vector<std::string> kDirectories{"nats", "gateway", "instances", "store/bundles", "proxy/slots"};
  const auto text = relative.string();
  const auto name = relative.filename().string();
  const auto below = [&](const std::string& each) { return text == each || text.starts_with(each + '/'); };
  return std::ranges::any_of(kDirectories, below) || text == "lock" || name.starts_with('.') ||
         name.ends_with(".log") || name.ends_with(".log.1") || name.ends_with("-wal") || name.ends_with("-shm");
}

/// The regular files below `state` that are kept, in the order of their paths.
Result<std::vector<fs::path>> kept_files(const fs::path& state) {
  std::vector<fs::path> found;
  std::error_code failure;
  fs::recursive_directory_iterator entries(state, failure);
  for (; !failure && entries != fs::recursive_directory_iterator(); entries.increment(failure)) {
    auto relative = entries->path().lexically_relative(state);
    std::error_code gone;
    if (is_left_out(relative)) {
      if (entries->is_directory(gone)) entries.disable_recursion_pending();
    } else if (entries->symlink_status(gone).type() == fs::file_type::regular) {
      found.push_back(std::move(relative));
    }
  }
  if (failure) {
    return make_error(failure == std::errc::no_such_file_or_directory ? Code::kNotFound : Code::kInternal,
                      "cannot read {}: {}", state.string(), failure.message());
  }
  std::ranges::sort(found);
  return found;
}

/// Copies one file and tells what it was.
Result<Entry> copy(const fs::path& from, const fs::path& to, std::string path) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!source.valid()) return errno_error("cannot open", from);
  struct stat status{};
  if (::fstat(source.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return make_error(Code::kInvalidArgument, "{} is no regular file", from.string());
  }
  Entry entry{std::move(path), 0, {}, status.st_mode & kModes};
  TCFDL_TRY(make_private_directory(to.parent_path()));
  const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFile));
  if (!target.valid()) return errno_error("cannot create", to);
  crypto::Sha256 hash;
  Bytes piece(kPiece);
  for (;;) {
    const auto got = ::read(source.get(), piece.data(), piece.size());
    if (got < 0) return errno_error("cannot read", from);
    if (got == 0) break;
    const auto part = BytesView(piece).first(static_cast<std::size_t>(got));
    hash.update(part);
    entry.size += part.size();
    const auto written = write_all(target.get(), part);
    if (!written) return written.error().within(to.string());
  }
  if (::fchmod(target.get(), entry.mode) != 0 || ::fsync(target.get()) != 0) return errno_error("cannot sync", to);
  entry.digest = to_hex(hash.finish());
  return entry;
}

/// A database as of one moment, whatever is written meanwhile.
Result<Entry> copy_database(const fs::path& from, const fs::path& to, std::string path) {
  TCFDL_TRY(make_private_directory(to.parent_path()));
  auto snapshot = to;
  snapshot += ".snapshot";
  {
    TCFDL_ASSIGN(const auto live, database::Database::open(from));
    TCFDL_TRY(live->copy_to(snapshot));
  }
  auto entry = copy(snapshot, to, std::move(path));
  std::error_code ignored;
  fs::remove(snapshot, ignored);
  return entry;
}

/// Whether every artefact that a master's database names is there, too: those of functions that were removed since are
/// not.
Result<bool> has_artefacts(const fs::path& directory) {
  const auto file = directory / "master.sqlite";
  if (!fs::exists(file)) return true;
  TemporaryDirectory scratch; // opening a database writes beside it
  std::error_code failure;
  fs::copy_file(file, scratch.path() / "master.sqlite", failure);
  if (failure) return make_error(Code::kInternal, "cannot copy {}: {}", file.string(), failure.message());
  TCFDL_ASSIGN(const auto database, database::Database::open(scratch.path() / "master.sqlite"));
  const SystemClock clock;
  TCFDL_ASSIGN(const auto store, database::FileStore::open(
                                     *database, clock, function_manager::artefact_settings(directory / "artefacts")));
  TCFDL_ASSIGN(const auto listed, store->list());
  return std::ranges::all_of(listed, [](const auto& each) { return fs::exists(each.path); });
}

Result<std::vector<Entry>> copy_state(const fs::path& state, const fs::path& to) {
  TCFDL_ASSIGN(auto files, kept_files(state));
  // Databases first: what they name was written before.
  std::ranges::stable_partition(files, [](const auto& file) { return file.extension() == kDatabase; });
  std::vector<Entry> entries;
  for (const auto& file : files) {
    const bool is_database = file.extension() == kDatabase;
    auto entry = is_database ? copy_database(state / file, to / file, file.string())
                             : copy(state / file, to / file, file.string());
    if (!entry && entry.error().code() == Code::kNotFound) continue; // removed since it was listed
    if (!entry) return entry.error();
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Status write_list(const fs::path& directory, const std::vector<Entry>& entries) {
  auto files = nlohmann::json::array();
  for (const auto& entry : entries) {
    files.push_back(
        {{"path", entry.path}, {"size", entry.size}, {"sha256", entry.digest}, {"mode", std::uint64_t{entry.mode}}});
  }
  const nlohmann::json list{{"tcfdl_backup", kFormat}, {"made", SystemClock().now()}, {"files", std::move(files)}};
  return write_file(directory / kList, as_bytes(list.dump(1) + "\n"), kPrivateFile);
}

BackupReport report_of(const std::vector<Entry>& entries) {
  BackupReport report{entries.size(), 0};
  for (const auto& entry : entries) report.bytes += entry.size;
  return report;
}

Result<Entry> read_entry(http::JsonObject object) {
  Entry entry;
  entry.path = object.text("path");
  entry.size = static_cast<std::uint64_t>(object.integer("size", 0, std::numeric_limits<std::int64_t>::max()));
  entry.digest = object.text("sha256");
  entry.mode = static_cast<mode_t>(object.integer("mode", 0, kModes));
  TCFDL_TRY(object.finish());
  const fs::path path(entry.path);
  const bool inside =
      !path.empty() && path.is_relative() && entry.path == path.lexically_normal().string() && *path.begin() != "..";
  if (inside && !is_left_out(path)) return entry;
  return make_error(Code::kInvalidArgument, "{} names '{}', which is no file of a state directory", kList, entry.path);
}

Result<std::vector<Entry>> read_list(const fs::path& directory) {
  const auto text = read_file(directory / kList, kLargestList);
  if (!text && text.error().code() == Code::kNotFound) {
    return make_error(Code::kInvalidArgument, "{} is no backup, or one that was not finished: it has no {}",
                      directory.string(), kList);
  }
  if (!text) return text.error();
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(*text, kList, {.size = kLargestList}));
  const auto format = object.integer("tcfdl_backup", 1, std::numeric_limits<std::int64_t>::max());
  if (format > kFormat) {
    return make_error(Code::kFailedPrecondition, "{} is of a newer program: restore with that", directory.string());
  }
  (void)object.integer("made", 0, std::numeric_limits<std::int64_t>::max());
  if (!object.has("files")) object.refuse("files", "is missing");
  auto files = object.objects("files");
  TCFDL_TRY(object.finish());
  std::vector<Entry> entries;
  for (auto& each : files) {
    TCFDL_ASSIGN(auto entry, read_entry(std::move(each)));
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// Copies one file out of a backup, whose bytes must be those that were put in.
Status restore_file(const fs::path& from, const fs::path& to, const Entry& entry) {
  const auto copied = copy(from, to, entry.path);
  if (!copied && copied.error().code() == Code::kNotFound) {
    return make_error(Code::kDataLoss, "the backup lacks {}", from.string());
  }
  if (!copied) return copied.error();
  if (copied->size != entry.size || copied->digest != entry.digest) {
    return make_error(Code::kDataLoss, "{} is not as it was backed up", from.string());
  }
  if (::chmod(to.c_str(), entry.mode) != 0) return errno_error("cannot set the mode of", to);
  if (to.extension() != kDatabase) return {};
  TCFDL_ASSIGN(const auto database, database::Database::open(to));
  return database->check();
}

} // namespace

Result<BackupReport> back_up(const fs::path& state, const fs::path& to) {
  if (!fs::exists(state / "node.json")) {
    return make_error(Code::kNotFound, "{} is no state directory of a daemon: it has no node.json", state.string());
  }
  if (fs::exists(fs::symlink_status(to))) return make_error(Code::kAlreadyExists, "{} exists", to.string());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    TCFDL_ASSIGN(auto draft, Draft::beside(to));
    TCFDL_ASSIGN(const auto entries, copy_state(state, draft.path()));
    TCFDL_ASSIGN(const auto whole, has_artefacts(draft.path()));
    if (!whole) continue;
    TCFDL_TRY(write_list(draft.path(), entries));
    TCFDL_TRY(draft.finish(to));
    return report_of(entries);
  }
  return make_error(Code::kUnavailable, "functions of {} come and go while they are copied; try again", state.string());
}

Result<BackupReport> restore(const fs::path& from, const fs::path& state) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(state)) && !fs::is_empty(state, ignored)) {
    return make_error(Code::kAlreadyExists, "{} exists and is not empty; move it away first", state.string());
  }
  TCFDL_ASSIGN(const auto entries, read_list(from));
  TCFDL_ASSIGN(auto draft, Draft::beside(state));
  for (const auto& entry : entries) TCFDL_TRY(restore_file(from / entry.path, draft.path() / entry.path, entry));
  TCFDL_TRY(draft.finish(state));
  return report_of(entries);
}

} // namespace tcfdl::node
