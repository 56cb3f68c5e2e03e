#include "cli/bench.hpp"

#include "base/ids.hpp"
#include "cli/bench_floors.hpp"
#include "cli/bench_platform.hpp"
#include "cli/bench_rows.hpp"
#include "http/client.hpp"
#include "sdk/context.hpp"

#include <algorithm>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

using std::chrono::seconds;

constexpr std::string_view kCallTopology =
    "clusters:\n  - {name: near, workers: [near-1]}\n  - {name: far, host_instances: false}\n";

Operation call_exchange(Client& client, const Bytes& body, CallOptions options) {
  options.timeout = seconds(30);
  return [&client, &body, options]() -> Status {
    TCFDL_ASSIGN(const auto result, client.call("bench/sink", body, options));
    return check_answer(result.body.size());
  };
}

/// Under a lease of its own, as tasks have whose ids their callers choose.
Operation single_exchange(Client& client, const Bytes& body) {
  return [&client, &body]() -> Status {
    CallOptions options;
    options.timeout = seconds(30);
    options.task_id = make_uuid();
    TCFDL_ASSIGN(const auto result, client.call("bench/sink", body, options));
    return check_answer(result.body.size());
  };
}

/// Over HTTP, through the cluster's gateway.
class GatewayCalls {
public:
  static Result<GatewayCalls> to(const std::string& cluster) {
    TCFDL_ASSIGN(const auto context, sdk::load_context(cluster));
    TCFDL_ASSIGN(const auto url, http::parse_url(context.gateway_url));
    http::ClientSettings settings;
    settings.host = url.host;
    settings.port = url.port;
    settings.token = context.gateway_token;
    return GatewayCalls(std::make_unique<http::Client>(std::move(settings)));
  }
  Operation exchange(const Bytes& body) {
    return [this, &body]() -> Status {
      http::Request request;
      request.method = "POST";
      request.target = "/v1/functions/bench/sink/invoke";
      request.body = body;
      TCFDL_ASSIGN(const auto response, client_->call(std::move(request), Deadline::after(seconds(30))));
      return check_answer(response.body.size());
    };
  }

private:
  explicit GatewayCalls(std::unique_ptr<http::Client> client) : client_(std::move(client)) {}
  std::unique_ptr<http::Client> client_;
};

/// The rows of one size.
class CallRows {
public:
  CallRows(Client& near, Client& far, GatewayCalls& gateway, Floors& floors, const BenchCallOptions& options,
           Json& rows)
      : near_(near), far_(far), gateway_(gateway), floors_(floors), options_(options), rows_(rows) {}

  Status add(std::size_t size) {
    const Bytes body(size, 0x5A);
    const bool is_large = size > 500'000;
    const auto repeats = is_large ? std::max(20U, options_.repeats / 4) : options_.repeats;
    std::vector<BenchRow> measured{{"tcp_loopback", floors_.tcp(body), "tcp_loopback"},
                                   {"tcp_and_two_passes", floors_.tcp_sealed(body), "tcp_loopback"},
                                   {"nats_request", floors_.nats(body), "tcp_loopback"}};
    for (const auto protection : {Protection::kEae, Protection::kHse, Protection::kNone}) {
      const auto name = protection_name(protection);
      if (!options_.protection.empty() && options_.protection != name) continue;
      if (protection == Protection::kEae) add_eae(measured, body, is_large);
      CallOptions call;
      call.protection = protection;
      if (protection != Protection::kEae) {
        measured.push_back({fmt::format("call_{}_cluster", name), call_exchange(near_, body, call), kNats});
      }
      measured.push_back({fmt::format("call_{}_cross", name), call_exchange(far_, body, call), kNats});
    }
    TCFDL_TRY(add_rows(measured, size, repeats, rows_));
    const bool has_eae = options_.protection.empty() || options_.protection == "eae";
    return has_eae && size <= kThroughputSize ? add_throughput(body) : Status();
  }

private:
  static constexpr std::size_t kThroughputSize = 65'536;
  static constexpr const char* kNats = "nats_request";

  void add_eae(std::vector<BenchRow>& measured, const Bytes& body, bool is_large) {
    std::vector<BenchGoal> goals{{kNats, 0.5}, {"tcp_loopback", 4}};
    if (is_large) goals = {{kNats, 0.4}, {"tcp_and_two_passes", 1.5}};
    measured.push_back({"call_eae_cluster", call_exchange(near_, body, {}), kNats, std::move(goals)});
    measured.push_back({"call_eae_cluster_single", single_exchange(near_, body), kNats, {{kNats, 1}}});
    measured.push_back({"call_http", gateway_.exchange(body), "call_eae_cluster", {{"call_eae_cluster", 2}}});
    for (const auto& [name, route] : {std::pair{"unix", "local"}, {"tcp", "tcp"}, {"nats", "relay"}}) {
      CallOptions call;
      call.route = route;
      measured.push_back({fmt::format("call_eae_{}", name), call_exchange(near_, body, call), kNats});
    }
  }

  Status add_throughput(const Bytes& body) {
    constexpr unsigned kCallers = 16;
    const std::vector<BenchRow> measured{
        {"nats_throughput", floors_.nats(body), "nats_throughput"},
        {"call_eae_throughput", call_exchange(near_, body, {}), "nats_throughput", {{"nats_throughput", 0.5}}}};
    return add_parallel_rows(measured, body.size(), kCallers, std::max(1U, options_.repeats / 4), rows_);
  }

  Client& near_;
  Client& far_;
  GatewayCalls& gateway_;
  Floors& floors_;
  const BenchCallOptions& options_;
  Json& rows_;
};

} // namespace

Result<Json> bench_call(const Session& session, const BenchCallOptions& options) {
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session, kCallTopology));
  TCFDL_TRY(platform->deploy_sink("near", "bench/sink"));
  TCFDL_ASSIGN(const auto near, Client::connect("near"));
  TCFDL_ASSIGN(const auto far, Client::connect("far"));
  TCFDL_ASSIGN(auto gateway, GatewayCalls::to("near"));
  TCFDL_ASSIGN(const auto floors, Floors::start());
  Json rows = Json::array();
  CallRows adds(*near, *far, gateway, *floors, options, rows);
  for (const auto size : options.sizes) TCFDL_TRY(adds.add(size));
  return rows;
}

} // namespace tcfdl::cli
