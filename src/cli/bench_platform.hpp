// Real daemons for a benchmark, in a directory that goes with them.
#pragma once

#include "base/file.hpp"
#include "cli/command.hpp"

#include <memory>

namespace tcfdl::cli {

/// The program of the functions that are measured.
Result<std::filesystem::path> bench_program();

class BenchPlatform {
public:
  /// Starts what `topology` (YAML) describes, and sets TCFDL_CONTEXT_DIR of this process to its contexts.
  static Result<std::unique_ptr<BenchPlatform>> start(const Session& session, const std::string& topology);
  BenchPlatform() = default;
  BenchPlatform(const BenchPlatform&) = delete;
  BenchPlatform& operator=(const BenchPlatform&) = delete;
  ~BenchPlatform();

  /// Deploys `bench_program` under that name in the cluster `near`, with more lines of YAML.
  Status deploy(const std::string& name, const std::string& more);

private:
  TemporaryDirectory root_;
  std::string state_;
  bool running_ = false;
};

} // namespace tcfdl::cli
