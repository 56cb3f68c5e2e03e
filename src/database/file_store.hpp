// Files by the digest of their content.
#pragma once

#include "base/clock.hpp"
#include "database/sqlite.hpp"

#include <mutex>
#include <vector>

namespace tcfdl::database {

struct FileStoreSettings {
  /// Where the files lie; made if missing, for the owner only.
  std::filesystem::path directory;
  /// The digest of some content as 32 to 128 lower-case hexadecimal digits.
  std::function<std::string(BytesView)> digest;
  /// The largest file taken, in bytes.
  std::size_t largest = std::size_t{1} << 30U;
};

struct StoredFile {
  std::string digest;
  std::filesystem::path path;
  std::int64_t size = 0;
  UnixSeconds created = 0;
};

/// Stores content under `directory/ab/cdef…` and its place in the table `files`. The row is written after the file, so
/// a crash leaves at worst a file that the next `put` adopts. Any thread; the database and the clock outlive the store.
/// A digest that is not hexadecimal is INVALID_ARGUMENT everywhere.
class FileStore {
public:
  /// Creates table and directory where they are missing.
  static Result<std::unique_ptr<FileStore>> open(Database& database, const Clock& clock, FileStoreSettings settings);

  /// Stores the content unless it is there already, undamaged. Gives its digest.
  Result<std::string> put(BytesView content);

  /// NOT_FOUND for an unknown digest, DATA_LOSS if the file is gone or its content is another.
  Result<Bytes> get(std::string_view digest);

  Result<bool> contains(std::string_view digest);

  /// The file's place, its content unchecked. NOT_FOUND for an unknown digest.
  Result<std::filesystem::path> path_of(std::string_view digest);

  /// Forgets the digest and deletes the file. Success if it was unknown.
  Status remove(std::string_view digest);

  /// All files, oldest first.
  Result<std::vector<StoredFile>> list();

private:
  FileStore(Database& database, const Clock& clock, FileStoreSettings settings)
      : database_(database), clock_(clock), settings_(std::move(settings)) {}
  [[nodiscard]] Result<Bytes> read_verified(const StoredFile& file) const;
  Result<std::optional<StoredFile>> find(std::string_view digest);
  Result<StoredFile> require(std::string_view digest);

  Database& database_;
  const Clock& clock_;
  const FileStoreSettings settings_;
  /// Keeps a file and its row in step.
  std::mutex mutex_;
};

} // namespace tcfdl::database
