// `tcfdl bench call`: calls inside one cluster and across two, beside floors measured in the same run.
#include "base/file.hpp"
#include "cli/bench_floors.hpp"
#include "cli/command.hpp"
#include "cli/deploy.hpp"
#include "cli/up.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

using std::chrono::seconds;

struct BenchOptions {
  std::vector<std::size_t> sizes{1024, 65536, 1048576, 4194304};
  std::string protection;
  unsigned repeats = 200;
};

/// Durations of one way to exchange SIZE bytes for 64, microseconds.
struct Sample {
  std::vector<double> micros;
  [[nodiscard]] double percentile(double share) const {
    auto sorted = micros;
    std::ranges::sort(sorted);
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
  }
};

Result<Sample> measure(unsigned repeats, const Exchange& exchange) {
  for (unsigned i = 0; i < std::max(3U, repeats / 10); ++i) TCFDL_TRY(exchange());
  Sample sample;
  for (unsigned i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    TCFDL_TRY(exchange());
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    sample.micros.push_back(spent.count());
  }
  return sample;
}

Json row(const std::string& name, std::size_t size, const Sample& sample, const std::string& floor, double floor_p50) {
  const auto p50 = sample.percentile(0.5);
  return {{"name", name},
          {"size", size},
          {"n", sample.micros.size()},
          {"p50_us", p50},
          {"p99_us", sample.percentile(0.99)},
          {"floor", floor},
          {"floor_p50_us", floor_p50},
          {"ratio", p50 / floor_p50}};
}

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
                                  "protection: [eae, none]\nidempotent: true\n",
                                  program.string());
    TCFDL_TRY(write_file(file, as_bytes(yaml)));
    TCFDL_ASSIGN(const auto context, sdk::load_context("near"));
    TCFDL_ASSIGN(auto api, Api::connect(context));
    TCFDL_TRY(deploy(api, context, {.file = file}));
    return {};
  }

  TemporaryDirectory root_;
  std::string state_;
  bool running_ = false;
};

Exchange call_exchange(Client& client, const Bytes& body, Protection protection) {
  return [&client, &body, protection]() -> Status {
    CallOptions options;
    options.protection = protection;
    options.timeout = seconds(30);
    TCFDL_ASSIGN(const auto result, client.call("bench/sink", body, options));
    if (result.body.size() == 64) return {};
    return make_error(Code::kInternal, "the answer has {} bytes, not 64", result.body.size());
  };
}

Result<Json> run_bench(const Session& session, const BenchOptions& options) {
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
    rows.push_back(row("tcp_loopback", size, tcp, "tcp_loopback", tcp_p50));
    TCFDL_ASSIGN(const auto nats, measure(repeats, floors->nats(body)));
    const auto nats_p50 = nats.percentile(0.5);
    rows.push_back(row("nats_request", size, nats, "tcp_loopback", tcp_p50));
    for (const auto protection : {Protection::kEae, Protection::kNone}) {
      const std::string name(protection_name(protection));
      if (!options.protection.empty() && options.protection != name) continue;
      TCFDL_ASSIGN(const auto cluster, measure(repeats, call_exchange(*near, body, protection)));
      rows.push_back(row("call_" + name + "_cluster", size, cluster, "nats_request", nats_p50));
      TCFDL_ASSIGN(const auto cross, measure(repeats, call_exchange(*far, body, protection)));
      rows.push_back(row("call_" + name + "_cross", size, cross, "nats_request", nats_p50));
    }
  }
  return rows;
}

void print_rows(const Json& rows) {
  std::vector<std::vector<std::string>> lines{
      {"NAME", "SIZE", "N", "P50 us", "P99 us", "FLOOR", "FLOOR P50 us", "RATIO"}};
  for (const auto& entry : rows) {
    lines.push_back({entry["name"], fmt::format("{}", entry["size"].get<std::size_t>()),
                     fmt::format("{}", entry["n"].get<std::size_t>()),
                     fmt::format("{:.0f}", entry["p50_us"].get<double>()),
                     fmt::format("{:.0f}", entry["p99_us"].get<double>()), entry["floor"],
                     fmt::format("{:.0f}", entry["floor_p50_us"].get<double>()),
                     fmt::format("{:.2f}", entry["ratio"].get<double>())});
  }
  print(table(lines));
}

} // namespace

void add_bench_commands(CLI::App& app, Session& session) {
  auto* bench = app.add_subcommand("bench", "measure, beside floors of the same run")->require_subcommand(1);
  auto* call = bench->add_subcommand("call", "calls in one cluster and across two");
  auto options = std::make_shared<BenchOptions>();
  call->add_option("--sizes", options->sizes, "bytes of the request, separated by commas")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{64}, std::size_t{8} << 20U));
  call->add_option("--protection", options->protection, "only this one")->check(CLI::IsMember({"eae", "none"}));
  call->add_option("--repeats", options->repeats, "exchanges a row; a quarter above 500 kB")
      ->check(CLI::Range(10U, 100'000U));
  call->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto rows, run_bench(session, *options));
    if (session.json) {
      print_json(rows);
    } else {
      print_rows(rows);
    }
    return {};
  }));
}

} // namespace tcfdl::cli
