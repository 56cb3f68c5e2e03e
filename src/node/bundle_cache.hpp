// Bundles on a node's own disk: fetched once by hash, unpacked once, run from there.
#pragma once

#include "instance_manager/ports.hpp"
#include "wire/manifest.hpp"

#include <functional>
#include <mutex>

namespace tcfdl::node {

/// Fetches an artefact by its SHA-256 and writes it to a file.
using FetchFile = std::function<Status(const std::string& digest, const std::filesystem::path& to, Deadline deadline)>;

/// Under `directory`: `files/<sha256>` and `bundles/<measurement>/…`. What a crash left half-done is never used.
class BundleCache final : public instance_manager::Bundles {
public:
  BundleCache(std::filesystem::path directory, FetchFile fetch)
      : directory_(std::move(directory)), fetch_(std::move(fetch)) {}

  /// The unpacked bundle. A file that is damaged on disk is fetched again; UNAVAILABLE when that is not possible.
  Result<std::filesystem::path> prepare(BytesView manifest, Deadline deadline) override;

private:
  Result<std::filesystem::path> file(const wire::ManifestFile& wanted, Deadline deadline);
  Status unpack(const wire::Manifest& manifest, const std::filesystem::path& target, Deadline deadline);

  const std::filesystem::path directory_;
  const FetchFile fetch_;
  std::mutex mutex_; // one bundle at a time
};

} // namespace tcfdl::node
