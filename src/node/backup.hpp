// Backups of what a daemon keeps, and state directories made of them. docs/backup.md.
#pragma once

#include "base/result.hpp"

#include <filesystem>

namespace tcfdl::node {

struct BackupReport {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// Copies a daemon's state directory into `to`, which must not exist, while the daemon runs or not: databases as of one
/// moment, files whole, all of it listed with its SHA-256 in `backup.json`, which is written last. What daemons make
/// anew is left out. NOT_FOUND for no state directory, ALREADY_EXISTS, RESOURCE_EXHAUSTED for a full disk, UNAVAILABLE
/// when functions come and go faster than they are copied. After an error nothing is left of `to`.
Result<BackupReport> back_up(const std::filesystem::path& state, const std::filesystem::path& to);

/// Makes the state directory `state`, which must not exist or be empty, of a backup that is whole. DATA_LOSS names a
/// file that is missing or not as it was, INVALID_ARGUMENT what is no backup, FAILED_PRECONDITION for one of a newer
/// program, ALREADY_EXISTS. After an error `state` is as before.
Result<BackupReport> restore(const std::filesystem::path& from, const std::filesystem::path& state);

} // namespace tcfdl::node
