// What a program needs beside itself: the shared libraries that its ELF file names (System V ABI, chapter 5; ld.so(8)).
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::tee {

/// The dynamic section of one file.
struct ElfNeeds {
  std::vector<std::string> libraries;    ///< DT_NEEDED
  std::vector<std::string> search_paths; ///< DT_RUNPATH, else DT_RPATH; may hold $ORIGIN
};

/// Reads a 64-bit little-endian ELF file; empty needs for a static program. INVALID_ARGUMENT for anything else and for
/// tables that lie outside the file.
Result<ElfNeeds> read_elf_needs(BytesView file);

/// The directories where the loader looks after a file's own: of /etc/ld.so.conf.d, and the usual ones.
std::vector<std::filesystem::path> default_library_directories();

/// Every library that `program` loads, directly or by another, found as ld.so does without a cache and without
/// LD_LIBRARY_PATH; in the order found, each once, with the path by which the loader opens it. NOT_FOUND names the
/// library and who needs it. Nothing is executed.
Result<std::vector<std::filesystem::path>> find_libraries(const std::filesystem::path& program,
                                                          const std::vector<std::filesystem::path>& directories);

} // namespace tcfdl::tee
