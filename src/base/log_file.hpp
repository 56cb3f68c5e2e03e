// Files that processes append their logs to, kept below a size by who gave them the file.
#pragma once

#include "base/result.hpp"

#include <filesystem>

namespace tcfdl {

/// The size, bytes, at which a log file is moved aside.
constexpr std::uintmax_t kLargestLogFile = std::uintmax_t{16} << 20U;

/// Once a file is larger than `most`, copies it to FILE.1, in place of what was there, and empties it; its writers go
/// on where it is, provided that they opened it with O_APPEND. Lines that come meanwhile may be lost. Nothing for a
/// file that is missing.
Status bound_log_file(const std::filesystem::path& file, std::uintmax_t most = kLargestLogFile);

} // namespace tcfdl
