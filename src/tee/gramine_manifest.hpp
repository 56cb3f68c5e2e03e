// Manifests by which Gramine runs a program in an SGX enclave (Gramine documentation, "Manifest syntax").
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <map>
#include <vector>

namespace tcfdl::tee {

struct GramineSettings {
  std::filesystem::path program;
  std::vector<std::string> arguments;                       ///< after the program's name
  std::map<std::string, std::string> environment;           ///< measured with the manifest
  std::vector<std::string> passed_environment;              ///< names whose values the host chooses
  std::uint64_t enclave_memory = std::uint64_t{512} << 20U; ///< bytes; a power of two from 64 MiB
  unsigned threads = 64;                                    ///< the most at once, 4 to 4096
  std::uint16_t security_version = 0;                       ///< ISVSVN
  std::filesystem::path state = "/var/lib/tcfdl";           ///< the host's directory for sealed state
};

/// A template for `gramine-manifest`, which fills in Gramine's own paths, and `gramine-sgx-sign`. The program and each
/// library that is not of Gramine's C library are trusted files with their SHA-256; the program sees nothing else of
/// the host's files but the encrypted `state`, whose key only this measurement gets. Not for debugging; quotes by DCAP.
/// INVALID_ARGUMENT for settings out of range, variables with a bad or repeated name, and text that is no UTF-8;
/// NOT_FOUND for the program or a library of it.
Result<std::string> make_gramine_manifest(const GramineSettings& settings);

/// A TOML basic string (TOML 1.0, "String"), in which `{` is escaped too, so that no template engine sees its words.
/// INVALID_ARGUMENT for text that is no UTF-8.
Result<std::string> toml_string(std::string_view text);

} // namespace tcfdl::tee
