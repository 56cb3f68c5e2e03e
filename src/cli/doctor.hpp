// What this machine has and lacks for each TEE kind. Looks, tries, changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tcfdl::cli {

/// One thing that a TEE kind wants.
struct Piece {
  std::string tee;    ///< software, sgx, tdx, snp
  std::string name;   ///< as `user namespaces`
  bool needed = true; ///< without it the TEE does not run; else it runs weaker or slower
  bool present = false;
  std::string detail; ///< what was found
  std::string remedy; ///< what to do when it is missing
};

/// What the doctor asks the machine; tests answer themselves. Every member is set.
struct Machine {
  /// Before every absolute path.
  std::filesystem::path root = "/";
  /// The directories where programs are.
  std::vector<std::filesystem::path> program_directories;
  std::function<bool()> user_namespaces;     ///< whether a process may make one
  std::function<bool()> seccomp;             ///< whether filters can be set
  std::function<int()> landlock_abi;         ///< 0: none
  std::function<bool()> memfd_secret;        ///< memory that the kernel itself does not map
  std::function<std::uint64_t()> open_files; ///< the hard limit
  std::function<bool(const std::filesystem::path&)> writable;

  /// This one.
  static Machine local();
};

/// All pieces of all kinds.
std::vector<Piece> examine(const Machine& machine);

/// Whether everything that a kind needs is there.
bool can_run(const std::vector<Piece>& pieces, const std::string& tee);

} // namespace tcfdl::cli
