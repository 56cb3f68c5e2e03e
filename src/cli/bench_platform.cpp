#include "cli/bench_platform.hpp"

#include "cli/deploy.hpp"
#include "cli/function_file.hpp"
#include "cli/owner_key.hpp"
#include "cli/up.hpp"

#include <algorithm>
#include <cstdlib>

namespace tcfdl::cli {

Result<std::filesystem::path> bench_program() {
  TCFDL_ASSIGN(const auto programs, program_directory());
  return programs / "tcfdl-bench-function";
}

Result<std::unique_ptr<BenchPlatform>> BenchPlatform::start(const Session& session, std::string_view topology) {
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

Result<crypto::SigningKey> BenchPlatform::owner() const {
  return choose_owner_key((root_.path() / "owner.key").string());
}

Status BenchPlatform::deploy_sink(const std::string& cluster, const std::string& name, const std::string& more) {
  TCFDL_ASSIGN(const auto program, bench_program());
  const auto file = root_.path() / "function.yaml";
  const auto yaml = fmt::format("name: {}\ncommand: [bin/sink]\nfiles: [{{source: \"{}\", path: bin/sink}}]\n"
                                "protection: [eae, hse, none]\nidempotent: true\nconcurrency: 16\n{}",
                                name, program.string(), more);
  TCFDL_TRY(write_file(file, as_bytes(yaml)));
  TCFDL_ASSIGN(const auto context, sdk::load_context(cluster));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_TRY(deploy(api, context, {.file = file, .key = (root_.path() / "owner.key").string()}));
  return {};
}

Status check_answer(std::size_t size) {
  if (size == 64) return {};
  return make_error(Code::kInternal, "the answer has {} bytes, not 64", size);
}

} // namespace tcfdl::cli
