// The manifest of a bundle: what a function executes. docs/formats/manifest.md.
#pragma once

#include "base/result.hpp"
#include "crypto/hash.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tcfdl::wire {

/// The longest manifest, bytes: it travels in one message.
constexpr std::size_t kMaxManifest = 960UL * 1024;
constexpr std::size_t kMaxManifestFiles = 10'000;
/// The largest file of a bundle, and of all its files together, bytes.
constexpr std::uint64_t kMaxBundleFile = std::uint64_t{16} << 30U;
constexpr std::uint64_t kMaxBundle = std::uint64_t{64} << 30U;

/// What a confidential file holds once it is open. docs/formats/confidential_file.md.
struct Plaintext {
  std::string digest;     ///< SHA-256 after a secret salt, 64 lower-case hexadecimal digits
  std::uint64_t size = 0; ///< bytes

  friend bool operator==(const Plaintext&, const Plaintext&) = default;
};

struct ManifestFile {
  std::string path;                           ///< relative, parts joined by '/'
  std::string sha256;                         ///< 64 lower-case hexadecimal digits
  std::uint64_t size = 0;                     ///< bytes
  bool executable = false;                    ///< mode 0755, otherwise 0644
  std::optional<Plaintext> confidential = {}; ///< of a file that is encrypted: hash and size above are the ciphertext's

  friend bool operator==(const ManifestFile&, const ManifestFile&) = default;
};

/// Where the output of an instance goes.
enum class LogPolicy : std::uint8_t {
  kNone, ///< nowhere
  kHost, ///< to log files of the host, outside the TEE
};

struct Manifest {
  std::vector<std::string> command;                             ///< the program and its arguments; at least the program
  std::vector<std::pair<std::string, std::string>> environment; ///< ordered by name
  std::vector<ManifestFile> files;
  LogPolicy logs = LogPolicy::kNone;

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// Parses and checks a manifest from outside. INVALID_ARGUMENT names the key or the file at fault. What it returns is
/// safe to unpack below a directory: paths are relative without '..', none is twice there or below another file.
Result<Manifest> parse_manifest(BytesView text);

/// The checks of `parse_manifest` on a manifest made here.
Status check_manifest(const Manifest& manifest);

/// The manifest as JSON: the same text for the same manifest.
Bytes write_manifest(const Manifest& manifest);

/// The paths of its confidential files, in order.
std::vector<std::string> confidential_paths(const Manifest& manifest);

/// The measurement of a bundle: SHA-256 of its manifest's bytes.
inline crypto::Sha256Digest measure_manifest(BytesView text) { return crypto::sha256(text); }

} // namespace tcfdl::wire
