// Measuring what will run: every file of a bundle against its manifest, the program into memory that cannot change.
#pragma once

#include "base/fd.hpp"
#include "wire/manifest.hpp"

#include <filesystem>

namespace tcfdl::tee {

/// A bundle whose every file has the size and hash that its manifest names.
struct MeasuredBundle {
  wire::Manifest manifest;
  crypto::Sha256Digest measurement; ///< of the manifest
  std::filesystem::path directory;
  UniqueFd program; ///< a sealed memfd with the measured bytes of command[0]
};

/// Measures the bundle in `directory`. INVALID_ARGUMENT for a bad manifest, DATA_LOSS for a file that differs from it.
/// The program must be an ELF file: other programs run through tcfdl-exec.
Result<MeasuredBundle> measure_bundle(BytesView manifest, const std::filesystem::path& directory);

/// SHA-256 of a file, and nothing of it kept.
Result<crypto::Sha256Digest> measure_file(const std::filesystem::path& path);

/// SHA-256 of the running program.
Result<crypto::Sha256Digest> measure_self();

} // namespace tcfdl::tee
