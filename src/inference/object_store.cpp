#include "inference/object_store.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "crypto/hash.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

namespace tcfdl::inference {
namespace {

constexpr std::size_t kCopyPiece = std::size_t{1} << 20U;

/// Copies what is read from `from` to `to` and hashes it.
Result<StoredFile> copy_hashed(int from, int to, const std::filesystem::path& source) {
  StoredFile file;
  crypto::Sha256 hash;
  Bytes piece(kCopyPiece);
  for (;;) {
    const auto got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", source);
    if (got == 0) break;
    const auto part = BytesView(piece).first(static_cast<std::size_t>(got));
    hash.update(part);
    TCFDL_TRY(write_all(to, part));
    file.size += part.size();
  }
  file.sha256 = to_hex(hash.finish());
  return file;
}

/// Removes the directories that nobody holds.
void sweep(const std::filesystem::path& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    const UniqueFd fd(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid() && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(entry.path(), ignored);
  }
}

} // namespace

Result<WorkDirectory> WorkDirectory::make(const std::filesystem::path& parent) {
  TCFDL_TRY(make_private_directory(parent));
  sweep(parent);
  for (;;) {
    auto path = parent / make_uuid();
    if (::mkdir(path.c_str(), 0700) != 0) return errno_error("cannot create", path);
    UniqueFd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const bool locked = lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
    // Another process may have swept it away before it was locked.
    if (locked && std::filesystem::exists(path)) return WorkDirectory(std::move(path), std::move(lock));
  }
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (lock_.valid()) std::filesystem::remove_all(path_, ignored);
}

Result<ObjectStore> ObjectStore::open(std::filesystem::path root) {
  root = std::filesystem::absolute(root);
  for (const auto* part : {"objects", "work"}) TCFDL_TRY(make_private_directory(root / part));
  return ObjectStore(std::move(root));
}

Result<StoredFile> ObjectStore::put(const std::filesystem::path& source, std::string path) const {
  TCFDL_ASSIGN(const auto from, open_regular_file(source));
  TCFDL_ASSIGN(const auto work_directory, work());
  const auto temporary = work_directory.path() / "object";
  const UniqueFd to(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  if (!to.valid()) return errno_error("cannot create", temporary);
  TCFDL_ASSIGN(auto file, copy_hashed(from.get(), to.get(), source));
  if (::fsync(to.get()) != 0) return errno_error("cannot sync", temporary);
  const auto target = root_ / "objects" / file.sha256;
  if (::rename(temporary.c_str(), target.c_str()) != 0) return errno_error("cannot replace", target);
  TCFDL_TRY(sync_directory(root_ / "objects"));
  file.path = std::move(path);
  return file;
}

Status ObjectStore::get(const StoredFile& file, const std::filesystem::path& directory) const {
  const auto object = root_ / "objects" / file.sha256;
  const auto target = directory / file.path;
  std::error_code failure;
  std::filesystem::create_directories(target.parent_path(), failure);
  TCFDL_ASSIGN(const auto from, open_regular_file(object));
  const UniqueFd to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFile));
  if (!to.valid()) return errno_error("cannot create", target);
  TCFDL_ASSIGN(const auto found, copy_hashed(from.get(), to.get(), object));
  if (found.sha256 == file.sha256 && found.size == file.size) return {};
  std::filesystem::remove(target, failure);
  return make_error(Code::kDataLoss, "{} does not hold what its name says (its SHA-256 is {}); import the model again",
                    object.string(), found.sha256);
}

std::size_t ObjectStore::collect(const std::set<std::string>& used) const {
  std::size_t removed = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "objects", ignored)) {
    if (!used.contains(entry.path().filename())) removed += std::filesystem::remove(entry.path(), ignored) ? 1 : 0;
  }
  return removed;
}

Result<UniqueFd> ObjectStore::lock(bool alone) const {
  UniqueFd fd(::open((root_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivateFile));
  if (!fd.valid() || ::flock(fd.get(), alone ? LOCK_EX : LOCK_SH) != 0) return errno_error("cannot lock", root_);
  return fd;
}

} // namespace tcfdl::inference
