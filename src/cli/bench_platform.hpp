// Clusters of real daemons for benchmarks, in a directory that goes with them.
#pragma once

#include "base/file.hpp"
#include "cli/command.hpp"
#include "crypto/signature.hpp"

#include <memory>

namespace tcfdl::cli {

/// The program of the functions that are measured.
Result<std::filesystem::path> bench_program();

/// Started and deployed to on this machine; ended, with all files, when it goes.
class BenchPlatform {
public:
  /// `topology`: YAML. Sets TCFDL_CONTEXT_DIR for this process, whose contexts are the clusters'.
  static Result<std::unique_ptr<BenchPlatform>> start(const Session& session, std::string_view topology);
  BenchPlatform() = default;
  BenchPlatform(const BenchPlatform&) = delete;
  BenchPlatform& operator=(const BenchPlatform&) = delete;
  ~BenchPlatform();

  /// That the platform's functions are signed with.
  [[nodiscard]] Result<crypto::SigningKey> owner() const;
  /// A directory for what is made for the platform.
  [[nodiscard]] const std::filesystem::path& directory() const { return root_.path(); }

  /// Deploys a function that answers the first 64 bytes of its body; `more`: further lines of its file.
  Status deploy_sink(const std::string& cluster, const std::string& name, const std::string& more = {});

private:
  TemporaryDirectory root_;
  std::string state_;
  bool running_ = false;
};

/// What `deploy_sink`'s functions answer.
Status check_answer(std::size_t size);

} // namespace tcfdl::cli
