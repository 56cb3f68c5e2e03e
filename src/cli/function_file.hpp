// A function as its owner writes it down. docs/formats/function.md.
#pragma once

#include "base/file.hpp"
#include "wire/confidential.hpp"
#include "wire/messages.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tcfdl::cli {

/// One file of the bundle and where it comes from on this machine.
struct FunctionSource {
  std::filesystem::path source;
  std::string path;        ///< inside the bundle
  bool executable = false; ///< from `mode`, or from the source
  bool confidential = false;
};

/// `health` of the file; nullopt where nothing is said.
struct HealthFile {
  std::optional<std::chrono::milliseconds> ready_within;
  std::optional<std::chrono::milliseconds> answer_within;
  std::optional<std::chrono::milliseconds> overdue;
  std::optional<std::chrono::milliseconds> trial;
  std::optional<std::uint32_t> failures;
};

struct FunctionFile {
  std::string name;
  std::uint64_t version = 0; ///< 0: the time of deployment
  std::vector<std::string> command;
  std::vector<FunctionSource> files;
  std::vector<std::pair<std::string, std::string>> environment;
  std::uint32_t concurrency = 1;
  std::uint32_t scale_min = 1;
  std::uint32_t scale_max = 1;
  std::uint32_t response_time_ms = 0; ///< 0: no target
  std::uint32_t scale_warm = 0;       ///< instances more that stand ready
  std::string memory;                 ///< as written; empty: no limit
  std::string enclave_memory;         ///< as written; empty: nothing is said
  std::uint32_t millicores = 0;
  std::uint32_t most_millicores = 0;
  std::uint32_t processes = 0;
  HealthFile health;
  bool idempotent = false;
  std::vector<std::string> protections;
  bool isolate_instance = false;
  bool direct_tls = false;
  std::vector<std::string> topics; ///< whose messages it handles
  std::vector<std::string> cron;   ///< when it runs by itself
  std::vector<std::string> tee_kinds;
  std::vector<std::string> assurance;
  std::vector<std::string> providers;
  std::vector<std::pair<std::string, std::string>> labels;
  wire::LogPolicy logs = wire::LogPolicy::kHost;
  std::uint32_t queue_limit = 1000;
  std::uint64_t max_body = std::uint64_t{1} << 30U; ///< bytes
};

/// Where the file lies, and where the programs of this installation are.
struct FunctionPlace {
  std::filesystem::path file;
  std::filesystem::path programs; ///< holds tcfdl-exec
};

/// INVALID_ARGUMENT names file, line and remedy. Sources are taken relative to the file; their existence is checked by
/// `make_bundle`.
Result<FunctionFile> parse_function_file(const std::string& text, const FunctionPlace& place);
Result<FunctionFile> read_function_file(const FunctionPlace& place);

/// The directory of the running program.
Result<std::filesystem::path> program_directory();

/// What is uploaded and signed.
struct Bundle {
  struct Blob {
    std::string sha256;
    std::uint64_t size = 0;
    std::filesystem::path source;
  };
  std::string manifest;    ///< JSON
  std::vector<Blob> blobs; ///< each content once
  /// Of its confidential files, whose blobs are encrypted and lie in `encrypted`; none without such files.
  std::optional<wire::ContentKey> content_key = {};
  std::shared_ptr<const TemporaryDirectory> encrypted = {};
};

/// Hash and size of a file. NOT_FOUND when there is none.
Result<Bundle::Blob> hash_file(const std::filesystem::path& path);

/// Hashes the sources, and encrypts those that are confidential under a fresh key. NOT_FOUND names a missing one and
/// where it is asked for.
Result<Bundle> make_bundle(const FunctionFile& function);

/// The statement to sign, of an owner and a bundle.
wire::Descriptor make_descriptor(const FunctionFile& function, const Bundle& bundle, BytesView owner_key);

} // namespace tcfdl::cli
