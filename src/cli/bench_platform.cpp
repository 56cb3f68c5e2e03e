#include "cli/bench_platform.hpp"

#include "cli/deploy.hpp"
#include "cli/function_file.hpp"
#include "cli/owner_key.hpp"
#include "cli/up.hpp"

#include <cstdlib>

namespace tcfdl::cli {

Result<std::filesystem::path> bench_program() {
  TCFDL_ASSIGN(const auto programs, program_directory());
  return programs / "tcfdl-bench-function";
}

Result<std::unique_ptr<BenchPlatform>> BenchPlatform::start(const Session& session, const std::string& topology) {
  auto platform = std::make_unique<BenchPlatform>();
  const auto& root = platform->root_.path();
  ::setenv("TCFDL_CONTEXT_DIR", (root / "contexts").c_str(), 1);
  TCFDL_TRY(write_file(root / "topology.yaml", as_bytes(topology)));
  platform->state_ = (root / "state").string();
  Session quiet = session;
  quiet.json = false;
  TCFDL_TRY(up(quiet, {.state = platform->state_, .topology = (root / "topology.yaml").string(), .detach = true}));
  platform->running_ = true;
  TCFDL_TRY(create_owner_key((root / "owner.key").string()));
  return platform;
}

BenchPlatform::~BenchPlatform() {
  Session quiet;
  if (running_) (void)down(quiet, {.state = state_, .remove = true});
}

Status BenchPlatform::deploy(const std::string& name, const std::string& more) {
  TCFDL_ASSIGN(const auto program, bench_program());
  const auto file = root_.path() / "function.yaml";
  const auto yaml = fmt::format("name: {}\ncommand: [bin/sink]\nfiles: [{{source: \"{}\", path: bin/sink}}]\n"
                                "protection: [eae, hse, none]\nidempotent: true\n{}",
                                name, program.string(), more);
  TCFDL_TRY(write_file(file, as_bytes(yaml)));
  TCFDL_ASSIGN(const auto context, sdk::load_context("near"));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_TRY(cli::deploy(api, context, {.file = file, .key = (root_.path() / "owner.key").string()}));
  return {};
}

} // namespace tcfdl::cli
