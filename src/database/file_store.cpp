#include "database/file_store.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::database {
namespace {

constexpr std::string_view kTable = "CREATE TABLE IF NOT EXISTS files(digest TEXT PRIMARY KEY, path TEXT NOT NULL, "
                                    "size INTEGER NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID";

Status check_digest(std::string_view digest) {
  const bool digits =
      std::ranges::all_of(digest, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (digits && digest.size() >= 32 && digest.size() <= 128) return {};
  return make_error(Code::kInvalidArgument, "a digest is 32 to 128 lower-case hexadecimal digits");
}

std::filesystem::path place_of(std::string_view digest) {
  return std::filesystem::path(digest.substr(0, 2)) / digest.substr(2);
}

} // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(Database& database, const Clock& clock, FileStoreSettings settings) {
  if (!settings.digest) return make_error(Code::kInvalidArgument, "a file store needs a digest function");
  TCFDL_TRY(make_private_directory(settings.directory));
  TCFDL_TRY(database.migrate("files", std::array{kTable}));
  return std::unique_ptr<FileStore>(new FileStore(database, clock, std::move(settings)));
}

Result<std::optional<StoredFile>> FileStore::find(std::string_view digest) {
  TCFDL_TRY(check_digest(digest));
  return database_.query_one(
      "SELECT digest, path, size, created FROM files WHERE digest = ?", {std::string(digest)}, [this](const Row& row) {
        return StoredFile{row.text(0), settings_.directory / row.text(1), row.integer(2), row.integer(3)};
      });
}

Result<StoredFile> FileStore::require(std::string_view digest) {
  TCFDL_ASSIGN(auto found, find(digest));
  if (!found) return make_error(Code::kNotFound, "no file of digest {} is stored", digest);
  return *std::move(found);
}

Result<Bytes> FileStore::read_verified(const StoredFile& file) const {
  auto content = read_file(file.path, static_cast<std::size_t>(std::max<std::int64_t>(file.size, 0)));
  if (!content && content.error().code() != Code::kNotFound && content.error().code() != Code::kResourceExhausted) {
    return std::move(content).error();
  }
  if (!content) return make_error(Code::kDataLoss, "stored file {}: {}", file.digest, content.error().message());
  if (settings_.digest(*content) != file.digest) {
    return make_error(Code::kDataLoss, "{} is damaged: its content has another digest; store the file again",
                      file.path.string());
  }
  return content;
}

Result<std::string> FileStore::put(BytesView content) {
  if (content.size() > settings_.largest) {
    return make_error(Code::kInvalidArgument, "a file of {} bytes is larger than the store's limit of {}",
                      content.size(), settings_.largest);
  }
  auto digest = settings_.digest(content);
  const std::scoped_lock lock(mutex_);
  TCFDL_ASSIGN(const auto found, find(digest));
  if (found && read_verified(*found)) return digest;
  const auto place = place_of(digest);
  const auto path = settings_.directory / place;
  TCFDL_TRY(make_private_directory(path.parent_path()));
  TCFDL_TRY(write_file(path, content, kPrivateFile));
  TCFDL_TRY(sync_directory(path.parent_path()));
  TCFDL_TRY(sync_directory(settings_.directory));
  TCFDL_TRY(database_.execute("INSERT OR REPLACE INTO files(digest, path, size, created) VALUES(?, ?, ?, ?)",
                              {digest, place.string(), static_cast<std::int64_t>(content.size()), clock_.now()}));
  return digest;
}

Result<Bytes> FileStore::get(std::string_view digest) {
  TCFDL_ASSIGN(const auto file, require(digest));
  return read_verified(file);
}

Result<bool> FileStore::contains(std::string_view digest) {
  TCFDL_ASSIGN(const auto found, find(digest));
  return found.has_value();
}

Result<std::filesystem::path> FileStore::path_of(std::string_view digest) {
  TCFDL_ASSIGN(auto file, require(digest));
  return std::move(file.path);
}

Status FileStore::remove(std::string_view digest) {
  const std::scoped_lock lock(mutex_);
  TCFDL_ASSIGN(const auto found, find(digest));
  if (!found) return {};
  TCFDL_TRY(database_.execute("DELETE FROM files WHERE digest = ?", {std::string(digest)}));
  std::error_code failure;
  std::filesystem::remove(found->path, failure);
  if (failure) return make_error(Code::kInternal, "cannot delete {}: {}", found->path.string(), failure.message());
  return {};
}

Result<std::vector<StoredFile>> FileStore::list() {
  std::vector<StoredFile> files;
  TCFDL_TRY(database_.query(
      "SELECT digest, path, size, created FROM files ORDER BY created, digest", {}, [&](const Row& row) -> Status {
        files.push_back({row.text(0), settings_.directory / row.text(1), row.integer(2), row.integer(3)});
        return {};
      }));
  return files;
}

} // namespace tcfdl::database
