#include "node/bundle_cache.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "tee/bundle.hpp"

#include <sys/stat.h>

namespace tcfdl::node {
namespace {

bool is_intact(const std::filesystem::path& path, const wire::ManifestFile& wanted) {
  std::error_code missing;
  if (std::filesystem::file_size(path, missing) != wanted.size || missing) return false;
  const auto digest = tee::measure_file(path);
  return digest && to_hex(*digest) == wanted.sha256;
}

Status failure(std::string_view what, const std::filesystem::path& path, const std::error_code& why) {
  const bool full = why == std::errc::no_space_on_device;
  return make_error(full ? Code::kResourceExhausted : Code::kInternal, "{} {}: {}", what, path.string(), why.message());
}

/// Below `target`, which instances read: a hard link where the file system has them, else a copy.
Status place(const std::filesystem::path& from, const std::filesystem::path& to, const std::filesystem::path& target,
             bool executable) {
  std::error_code why;
  std::filesystem::create_directories(to.parent_path(), why);
  if (why) return failure("cannot create", to.parent_path(), why);
  for (auto part = to.parent_path(); part != target; part = part.parent_path()) {
    if (::chmod(part.c_str(), 0755) != 0) return errno_error("cannot set the mode of", part);
  }
  std::filesystem::create_hard_link(from, to, why);
  if (why) std::filesystem::copy_file(from, to, why);
  if (why) return failure("cannot write", to, why);
  if (::chmod(to.c_str(), executable ? 0755 : 0644) != 0) return errno_error("cannot set the mode of", to);
  return {};
}

} // namespace

Result<std::filesystem::path> BundleCache::prepare(BytesView manifest, Deadline deadline) {
  TCFDL_ASSIGN(const auto parsed, wire::parse_manifest(manifest));
  const std::scoped_lock lock(mutex_);
  auto target = directory_ / "bundles" / to_hex(wire::measure_manifest(manifest));
  const bool whole =
      std::ranges::all_of(parsed.files, [&](const auto& file) { return is_intact(target / file.path, file); });
  if (whole && std::filesystem::exists(target)) return target;
  std::error_code why;
  std::filesystem::remove_all(target, why);
  const auto temporary = directory_ / "bundles" / fmt::format(".{}", make_uuid());
  auto unpacked = unpack(parsed, temporary, deadline);
  if (unpacked) {
    std::filesystem::rename(temporary, target, why);
    if (why) unpacked = failure("cannot complete", target, why);
  }
  if (unpacked) return target;
  std::filesystem::remove_all(temporary, why);
  return unpacked.error();
}

Status BundleCache::unpack(const wire::Manifest& manifest, const std::filesystem::path& target, Deadline deadline) {
  TCFDL_TRY(make_private_directory(target.parent_path()));
  TCFDL_TRY(make_private_directory(target));
  TCFDL_TRY(make_private_directory(directory_ / "files"));
  // Instances may run as another user and are shown this directory, out of the private ones around it.
  if (::chmod(target.c_str(), 0755) != 0) return errno_error("cannot set the mode of", target);
  for (const auto& wanted : manifest.files) {
    TCFDL_ASSIGN(const auto source, file(wanted, deadline));
    TCFDL_TRY(place(source, target / wanted.path, target, wanted.executable));
  }
  return {};
}

Result<std::filesystem::path> BundleCache::file(const wire::ManifestFile& wanted, Deadline deadline) {
  auto path = directory_ / "files" / wanted.sha256;
  if (is_intact(path, wanted)) return path;
  const auto temporary = directory_ / "files" / fmt::format(".{}", make_uuid());
  std::error_code ignored;
  auto fetched = fetch_(wanted.sha256, temporary, deadline);
  if (fetched && !is_intact(temporary, wanted)) {
    fetched = make_error(Code::kDataLoss, "what was fetched for {} has another size or hash", wanted.path);
  }
  if (!fetched) {
    std::filesystem::remove(temporary, ignored);
    return fetched.error().within(fmt::format("fetching {}", wanted.path));
  }
  std::filesystem::rename(temporary, path, ignored);
  return path;
}

} // namespace tcfdl::node
