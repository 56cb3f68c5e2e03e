// Files by the hash of what they hold.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <filesystem>
#include <set>
#include <string>

namespace tcfdl::inference {

/// A file of a model: where it lies beside the others, and its content.
struct StoredFile {
  std::string path;
  std::string sha256 = {};
  std::uint64_t size = 0; ///< bytes
};

/// A directory that removes itself, on the file system of the store, for files that other programs read. Its owner
/// holds a lock on it: what a killed process left is removed by the next one.
class WorkDirectory {
public:
  static Result<WorkDirectory> make(const std::filesystem::path& parent);
  WorkDirectory(WorkDirectory&&) noexcept = default;
  WorkDirectory& operator=(WorkDirectory&&) noexcept = delete;
  ~WorkDirectory();
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
  WorkDirectory(std::filesystem::path path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  UniqueFd lock_;
};

/// Several processes may use one; `collect` alone must not run beside a writer, for which callers hold the lock.
class ObjectStore {
public:
  /// Creates the directories where they are missing.
  static Result<ObjectStore> open(std::filesystem::path root);

  /// Copies a file in, once for each content. The entry's path is `path`.
  Result<StoredFile> put(const std::filesystem::path& source, std::string path) const;

  /// Copies the content below `directory`, by its path there: ONNX Runtime refuses weights behind links. NOT_FOUND;
  /// DATA_LOSS when it is not what its hash says.
  Status get(const StoredFile& file, const std::filesystem::path& directory) const;

  /// Removes the objects that are not among these; how many.
  [[nodiscard]] std::size_t collect(const std::set<std::string>& used) const;

  [[nodiscard]] Result<WorkDirectory> work() const { return WorkDirectory::make(root_ / "work"); }

  /// Held by writers (shared) and by who collects (alone), until it is closed.
  [[nodiscard]] Result<UniqueFd> lock(bool alone) const;

private:
  explicit ObjectStore(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
};

} // namespace tcfdl::inference
