// The paper's figure 6: the time of a body's transmission in one master, from a master to its worker, and from a master
// to another cluster's.
#include "cli/bench.hpp"

#include "base/file.hpp"
#include "cli/bench_floors.hpp"
#include "cli/bench_platform.hpp"
#include "cli/bench_plot.hpp"
#include "cli/bench_rows.hpp"

#include <array>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

constexpr std::string_view kCommunicationTopology = R"(clusters:
  - name: one
    host_instances: true
    workers: [one-worker]
    nodes:
      - {name: one-master, labels: {place: master}}
      - {name: one-worker, labels: {place: worker}}
  - {name: two, host_instances: false}
)";

struct Case {
  const char* name;
  const char* caller; ///< cluster
  const char* function;
  const char* route;
};

/// Whoever calls is at the master of its cluster.
constexpr std::array<Case, 3> kCases{{{"case_1_one_master", "one", "bench/master", "local"},
                                      {"case_2_master_worker", "one", "bench/worker", "tcp"},
                                      {"case_3_two_masters", "two", "bench/master", "relay"}}};

Operation call_of(Client& client, const Case& measured, const Bytes& body, Protection protection) {
  CallOptions options;
  options.protection = protection;
  options.route = measured.route;
  return [&client, &body, options, function = std::string(measured.function)]() -> Status {
    TCFDL_ASSIGN(const auto result, client.call(function, body, options));
    return check_answer(result.body.size());
  };
}

} // namespace

Result<Json> bench_communication(const Session& session, const BenchCommunicationOptions& options) {
  TCFDL_ASSIGN(const auto protection, protection_from_name(options.protection));
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session, kCommunicationTopology));
  for (const auto* place : {"master", "worker"}) {
    TCFDL_TRY(
        platform->deploy_sink("one", fmt::format("bench/{}", place), fmt::format("labels: {{place: {}}}\n", place)));
  }
  TCFDL_ASSIGN(const auto one, Client::connect("one"));
  TCFDL_ASSIGN(const auto two, Client::connect("two"));
  TCFDL_ASSIGN(const auto floors, Floors::start());
  Json rows = Json::array();
  for (const auto size : options.sizes) {
    const Bytes body(size, 0x5A);
    std::vector<BenchRow> measured{{"tcp_loopback", floors->tcp(body), "tcp_loopback"}};
    for (const auto& each : kCases) {
      auto& client = each.caller == std::string_view("one") ? *one : *two;
      measured.push_back({each.name, call_of(client, each, body, protection), "tcp_loopback"});
    }
    TCFDL_TRY(add_rows(measured, size, options.repeats, rows));
  }
  if (options.svg.empty()) return rows;
  const PlotText text{.title =
                          fmt::format("Transmission of a body and 64 bytes back, protection {}", options.protection),
                      .x = "size of the body, bytes",
                      .y = "time, milliseconds (median of " + std::to_string(options.repeats) + ")"};
  TCFDL_TRY(write_file(std::filesystem::absolute(options.svg), as_bytes(plot_rows(rows, text))));
  return rows;
}

} // namespace tcfdl::cli
