// Looks for bytes where they must not be.
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcfdl::test {

/// Searches a process's readable memory.
bool memory_has(pid_t pid, const std::string& needle);

/// The files below a directory that hold the text.
std::vector<std::string> files_with(const std::filesystem::path& root, const std::string& needle);

} // namespace tcfdl::test
