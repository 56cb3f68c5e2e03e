#include "cli/bench.hpp"

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

Status check_answer(std::size_t size) {
  if (size == 64) return {};
  return make_error(Code::kInternal, "the answer has {} bytes, not 64", size);
}

/// `single`: under a lease of its own, as tasks have whose ids their callers choose.
Operation call_exchange(Client& client, const Bytes& body, Protection protection, bool single = false) {
  return [&client, &body, protection, single]() -> Status {
    CallOptions options;
    options.protection = protection;
    options.timeout = seconds(30);
    if (single) options.task_id = make_uuid();
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
    size_ = size;
    repeats_ = size > 500'000 ? std::max(20U, options_.repeats / 4) : options_.repeats;
    TCFDL_ASSIGN(const auto tcp, add("tcp_loopback", floors_.tcp(body), "tcp_loopback", 0));
    TCFDL_ASSIGN(const auto nats, add("nats_request", floors_.nats(body), "tcp_loopback", tcp));
    for (const auto protection : {Protection::kEae, Protection::kHse, Protection::kNone}) {
      const std::string name(protection_name(protection));
      if (!options_.protection.empty() && options_.protection != name) continue;
      const auto prefix = "call_" + name;
      const auto in_cluster = call_exchange(near_, body, protection);
      TCFDL_ASSIGN(const auto call, add(prefix + "_cluster", in_cluster, "nats_request", nats));
      if (protection == Protection::kEae) {
        TCFDL_TRY(add(prefix + "_cluster_single", call_exchange(near_, body, protection, true), "nats_request", nats));
        TCFDL_TRY(add("call_http", gateway_.exchange(body), prefix + "_cluster", call));
        if (size <= kThroughputSize) TCFDL_TRY(add_throughput(body, in_cluster));
      }
      TCFDL_TRY(add(prefix + "_cross", call_exchange(far_, body, protection), "nats_request", nats));
    }
    return {};
  }

private:
  static constexpr std::size_t kThroughputSize = 65'536;

  /// Its P50; `floor_p50` 0: it is its own floor.
  Result<double> add(const std::string& name, const Operation& operation, const std::string& floor, double floor_p50) {
    TCFDL_ASSIGN(const auto sample, measure(repeats_, operation));
    return add(name, sample, floor, floor_p50);
  }
  double add(const std::string& name, const Sample& sample, const std::string& floor, double floor_p50) {
    const auto p50 = sample.percentile(0.5);
    rows_.push_back(bench_row(name, size_, sample, floor, floor_p50 > 0 ? floor_p50 : p50));
    return p50;
  }

  Status add_throughput(const Bytes& body, const Operation& call) {
    constexpr unsigned kRounds = 10;
    constexpr unsigned kCallers = 16;
    const auto each = std::max(1U, options_.repeats / 4);
    TCFDL_ASSIGN(const auto nats, measure_parallel(kRounds, kCallers, each, floors_.nats(body)));
    const auto nats_p50 = add("nats_throughput", nats, "nats_throughput", 0);
    TCFDL_ASSIGN(const auto calls, measure_parallel(kRounds, kCallers, each, call));
    add("call_eae_throughput", calls, "nats_throughput", nats_p50);
    return {};
  }

  Client& near_;
  Client& far_;
  GatewayCalls& gateway_;
  Floors& floors_;
  const BenchCallOptions& options_;
  Json& rows_;
  std::size_t size_ = 0;
  unsigned repeats_ = 0;
};

} // namespace

Result<Json> bench_call(const Session& session, const BenchCallOptions& options) {
  TCFDL_ASSIGN(const auto platform, BenchPlatform::start(session, "clusters:\n  - {name: near, workers: [near-1]}\n"
                                                                  "  - {name: far, host_instances: false}\n"));
  TCFDL_TRY(platform->deploy("bench/sink", "concurrency: 16\n"));
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
