#include "sdk/instance_pool.hpp"

#include "sdk/server_tls.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/server_names.hpp"
#include "wire/tls_connection.hpp"

#include <algorithm>
#include <filesystem>

namespace tcfdl::sdk {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMostIdle = 32;
/// A direct route that has not answered by then gives way to the next one.
constexpr seconds kDirectWithin{2};
/// The first time, and at most.
constexpr seconds kSilentFor{30};
constexpr seconds kSilentAtMost{1800};
constexpr std::size_t kMostSilent = 1024;

constexpr const char* kRelay = "relay";

const char* way_of(const wire::Address& address) {
  const auto* tcp = std::get_if<wire::TcpAddress>(&address);
  if (tcp == nullptr) return "local";
  return tcp->tls ? "tls" : "tcp";
}

/// Whether others than the two machines' users may read what passes there.
bool is_open_network(const wire::Address& address) {
  const auto* tcp = std::get_if<wire::TcpAddress>(&address);
  return tcp != nullptr && !tcp->tls && !wire::is_loopback(*tcp);
}

} // namespace

std::unique_ptr<InstanceConnection> InstancePool::take_idle(const std::string& kept_as, const IsOutdated& is_outdated) {
  for (;;) {
    auto idle = idle_.with([&](auto& kept) -> std::unique_ptr<InstanceConnection> {
      auto& connections = kept[kept_as];
      if (connections.empty()) return nullptr;
      auto last = std::move(connections.back());
      connections.pop_back();
      return last;
    });
    if (!idle) return nullptr;
    if (!is_outdated(*idle) && is_fresh(*idle->connection)) return idle;
  }
}

Result<std::unique_ptr<InstanceConnection>> InstancePool::take(const wire::LeaseGrant& grant,
                                                               const wire::Descriptor& descriptor,
                                                               const CallOptions& options, Deadline deadline,
                                                               const std::string& traceparent) {
  const auto kept_as = fmt::format("{} {} {}", protection_name(options.protection), options.route, grant.instance());
  const bool closed = options.protection == Protection::kNone || descriptor.direct_tls();
  const auto is_straight = [&](const wire::Route& route) {
    return route.kind() != wire::ROUTE_KIND_RELAY && is_of_use(route, options.route, closed);
  };
  const auto is_detour = [&](const InstanceConnection& idle) {
    return idle.way == kRelay && std::ranges::any_of(grant.routes(), is_straight);
  };
  if (auto idle = take_idle(kept_as, is_detour)) return idle;
  Error last(Code::kUnavailable,
             fmt::format("{} has no route{}", grant.instance(), options.route.empty() ? "" : " by " + options.route));
  for (const auto& route : grant.routes()) {
    if (!is_of_use(route, options.route, closed)) continue;
    const bool direct = route.kind() != wire::ROUTE_KIND_RELAY;
    auto opened = open(grant, route, direct ? deadline.earlier(Deadline::after(kDirectWithin)) : deadline, traceparent);
    if (opened) {
      if (direct) note_answer(route.address());
      (*opened)->kept_as = kept_as;
      return opened;
    }
    last = opened.error();
    if (direct) note_silence(route.address());
  }
  return last;
}

void InstancePool::note_silence(const std::string& address) {
  silent_.with([&](auto& silent) {
    if (silent.size() >= kMostSilent) silent.clear();
    const auto [at, is_new] = silent.try_emplace(address, Silence{Deadline::after(kSilentFor), kSilentFor});
    if (is_new) return;
    at->second.pause = std::min(at->second.pause * 2, kSilentAtMost);
    at->second.until = Deadline::after(at->second.pause);
  });
}

void InstancePool::note_answer(const std::string& address) {
  silent_.with([&](auto& silent) { silent.erase(address); });
}

bool InstancePool::is_of_use(const wire::Route& route, const std::string& wanted, bool closed) const {
  const auto is_wanted = [&](const char* way) { return wanted.empty() || wanted == way; };
  if (route.kind() == wire::ROUTE_KIND_RELAY) return is_wanted(kRelay);
  const auto address = wire::parse_address(route.address());
  if (!address || !is_wanted(way_of(*address))) return false;
  if (closed && is_open_network(*address)) return false;
  if (const auto* local = std::get_if<wire::UnixAddress>(&*address)) {
    std::error_code unreachable;
    return std::filesystem::exists(local->path, unreachable);
  }
  return silent_.with([&](const auto& silent) {
    const auto found = silent.find(route.address());
    return found == silent.end() || found->second.until.expired();
  });
}

/// Who answers must be the instance. UNAVAILABLE otherwise.
Result<std::unique_ptr<InstanceConnection>> InstancePool::open(const wire::LeaseGrant& grant, const wire::Route& route,
                                                               Deadline deadline, const std::string& traceparent) {
  auto fresh = std::make_unique<InstanceConnection>();
  if (route.kind() == wire::ROUTE_KIND_RELAY) {
    TCFDL_ASSIGN(fresh->connection, open_relay(grant, deadline, traceparent));
    fresh->way = kRelay;
  } else {
    TCFDL_ASSIGN(const auto address, wire::parse_address(route.address()));
    TCFDL_ASSIGN(fresh->connection, connect(address, grant, deadline));
    fresh->way = way_of(address);
  }
  TCFDL_ASSIGN(fresh->hello, wire::receive_message<wire::Hello>(*fresh->connection, deadline));
  if (fresh->hello.name() == grant.instance()) return fresh;
  return make_error(Code::kUnavailable, "{} answers where {} was expected", fresh->hello.name(), grant.instance());
}

Result<std::unique_ptr<wire::Connection>> InstancePool::connect(const wire::Address& address,
                                                                const wire::LeaseGrant& grant, Deadline deadline) {
  const auto* tcp = std::get_if<wire::TcpAddress>(&address);
  if (tcp == nullptr || !tcp->tls) return wire::connect(address, deadline);
  TCFDL_ASSIGN(const auto trusted, trust_instances(as_bytes(grant.tls_root()), identity_, clock_.now()));
  return wire::connect_tls(address, trusted, wire::instance_server(grant.instance(), grant.cluster()), deadline);
}

Result<std::unique_ptr<wire::Connection>> InstancePool::open_relay(const wire::LeaseGrant& grant, Deadline deadline,
                                                                   const std::string& traceparent) {
  wire::OpenRelay relay;
  relay.set_cluster(grant.cluster());
  relay.set_node(grant.node());
  relay.set_instance(grant.instance());
  relay.set_traceparent(traceparent);
  return task_manager_.open_relay(relay, deadline);
}

Result<std::unique_ptr<InstanceConnection>> InstancePool::take_path(const wire::LeaseGrant& grant,
                                                                    const std::string& function, Deadline deadline) {
  auto kept_as = fmt::format("path {} {}", function, grant.instance());
  const auto is_over = [](const InstanceConnection& idle) { return idle.path->renewal.expired(); };
  if (auto idle = take_idle(kept_as, is_over)) return idle;
  auto fresh = std::make_unique<InstanceConnection>();
  fresh->kept_as = std::move(kept_as);
  TCFDL_ASSIGN(fresh->path, open_hop_path(identity_, task_manager_, grant, function, clock_.now(), deadline));
  fresh->connection = std::move(fresh->path->channel);
  fresh->way = "proxies";
  TCFDL_ASSIGN(fresh->hello, wire::receive_message<wire::Hello>(*fresh->connection, deadline));
  return fresh;
}

void InstancePool::give_back(std::unique_ptr<InstanceConnection> connection) {
  idle_.with([&](auto& kept) {
    auto& connections = kept[connection->kept_as];
    if (connections.size() < kMostIdle) connections.push_back(std::move(connection));
  });
}

} // namespace tcfdl::sdk
