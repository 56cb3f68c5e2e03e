#include "cli/bench.hpp"

#include "base/file.hpp"
#include "cli/bench_floors.hpp"
#include "cli/bench_rows.hpp"
#include "cli/command.hpp"
#include "cli/deploy.hpp"
#include "cli/owner_key.hpp"
#include "cli/up.hpp"

#include <algorithm>
#include <cstdlib>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

using std::chrono::seconds;

/// Two clusters of real daemons in a directory that goes with it.
class BenchPlatform {
public:
  static Result<std::unique_ptr<BenchPlatform>> start(const Session& session) {
    auto platform = std::make_unique<BenchPlatform>();
    const auto& root = platform->root_.path();
    ::setenv("TCFDL_CONTEXT_DIR", (root / "contexts").c_str(), 1);
    const std::string_view topology =
        "clusters:\n  - {name: near, workers: [near-1]}\n  - {name: far, host_instances: false}\n";
    TCFDL_TRY(write_file(root / "topology.yaml", as_bytes(topology)));
    platform->state_ = (root / "state").string();
    Session quiet = session;
    quiet.json = false;
    TCFDL_TRY(up(quiet, {.state = platform->state_, .topology = (root / "topology.yaml").string(), .detach = true}));
    platform->running_ = true;
    TCFDL_TRY(platform->deploy_function());
    return platform;
  }
  BenchPlatform() = default;
  BenchPlatform(const BenchPlatform&) = delete;
  BenchPlatform& operator=(const BenchPlatform&) = delete;
  ~BenchPlatform() {
    Session quiet;
    if (running_) (void)down(quiet, {.state = state_, .remove = true});
  }

private:
  Status deploy_function() {
    std::error_code failure;
    const auto program =
        std::filesystem::read_symlink("/proc/self/exe", failure).parent_path() / "tcfdl-bench-function";
    const auto file = root_.path() / "function.yaml";
    const auto yaml = fmt::format("name: bench/sink\ncommand: [bin/sink]\nfiles: [{{source: \"{}\", path: bin/sink}}]\n"
                                  "protection: [eae, hse, none]\nidempotent: true\n",
                                  program.string());
    TCFDL_TRY(write_file(file, as_bytes(yaml)));
    const auto key = (root_.path() / "owner.key").string();
    TCFDL_TRY(create_owner_key(key));
    TCFDL_ASSIGN(const auto context, sdk::load_context("near"));
    TCFDL_ASSIGN(auto api, Api::connect(context));
    TCFDL_TRY(deploy(api, context, {.file = file, .key = key}));
    return {};
  }

  TemporaryDirectory root_;
  std::string state_;
  bool running_ = false;
};

Operation call_exchange(Client& client, const Bytes& body, Protection protection) {
  return [&client, &body, protection]() -> Status {
    CallOptions options;
    options.protection = protection;
    options.timeout = seconds(30);
    TCFDL_ASSIGN(const auto result, client.call("bench/sink", body, options));
    if (result.body.size() == 64) return {};
    return make_error(Code::kInternal, "the answer has {} bytes, not 64", result.body.size());
  };
}

} // namespace

Result<Json> bench_call(const Session& session, const BenchCallOptions& options) {
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session));
  TCFDL_ASSIGN(const auto near, Client::connect("near"));
  TCFDL_ASSIGN(const auto far, Client::connect("far"));
  TCFDL_ASSIGN(const auto floors, Floors::start());
  Json rows = Json::array();
  for (const auto size : options.sizes) {
    const Bytes body(size, 0x5A);
    const auto repeats = size > 500'000 ? std::max(20U, options.repeats / 4) : options.repeats;
    TCFDL_ASSIGN(const auto tcp, measure(repeats, floors->tcp(body)));
    const auto tcp_p50 = tcp.percentile(0.5);
    rows.push_back(bench_row("tcp_loopback", size, tcp, "tcp_loopback", tcp_p50));
    TCFDL_ASSIGN(const auto nats, measure(repeats, floors->nats(body)));
    const auto nats_p50 = nats.percentile(0.5);
    rows.push_back(bench_row("nats_request", size, nats, "tcp_loopback", tcp_p50));
    for (const auto protection : {Protection::kEae, Protection::kHse, Protection::kNone}) {
      const std::string name(protection_name(protection));
      if (!options.protection.empty() && options.protection != name) continue;
      TCFDL_ASSIGN(const auto cluster, measure(repeats, call_exchange(*near, body, protection)));
      rows.push_back(bench_row("call_" + name + "_cluster", size, cluster, "nats_request", nats_p50));
      TCFDL_ASSIGN(const auto cross, measure(repeats, call_exchange(*far, body, protection)));
      rows.push_back(bench_row("call_" + name + "_cross", size, cross, "nats_request", nats_p50));
    }
  }
  return rows;
}

} // namespace tcfdl::cli
