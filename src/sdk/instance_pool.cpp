#include "sdk/instance_pool.hpp"

#include "sdk/task_manager_client.hpp"
#include "wire/socket.hpp"

#include <filesystem>

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kMostIdle = 32;
/// No name of an instance begins so.
const std::string kPathPrefix = "path ";

} // namespace

std::unique_ptr<InstanceConnection> InstancePool::take_idle(const std::string& name) {
  for (;;) {
    auto idle = idle_.with([&](auto& instances) -> std::unique_ptr<InstanceConnection> {
      auto& connections = instances[name];
      if (connections.empty()) return nullptr;
      auto last = std::move(connections.back());
      connections.pop_back();
      return last;
    });
    if (!idle) return nullptr;
    if (idle->path && idle->path->renewal.expired()) continue;
    if (is_fresh(*idle->connection)) return idle;
  }
}

Result<std::unique_ptr<InstanceConnection>> InstancePool::take(const wire::LeaseGrant& grant, Deadline deadline,
                                                               const std::string& traceparent) {
  if (auto idle = take_idle(grant.instance())) return idle;
  std::string way;
  TCFDL_ASSIGN(auto connection, open(grant, deadline, traceparent, way));
  TCFDL_ASSIGN(auto hello, wire::receive_message<wire::Hello>(*connection, deadline));
  if (hello.name() != grant.instance()) {
    return make_error(Code::kUnavailable, "{} answers where {} was expected", hello.name(), grant.instance());
  }
  auto fresh = std::make_unique<InstanceConnection>();
  fresh->connection = std::move(connection);
  fresh->hello = std::move(hello);
  fresh->way = std::move(way);
  return fresh;
}

Result<std::unique_ptr<InstanceConnection>> InstancePool::take_path(const wire::LeaseGrant& grant,
                                                                    const std::string& function, Deadline deadline) {
  if (auto idle = take_idle(kPathPrefix + function + ' ' + grant.instance())) return idle;
  auto fresh = std::make_unique<InstanceConnection>();
  TCFDL_ASSIGN(fresh->path, open_hop_path(identity_, task_manager_, grant, function, clock_.now(), deadline));
  fresh->connection = std::move(fresh->path->channel);
  fresh->way = "proxies";
  TCFDL_ASSIGN(fresh->hello, wire::receive_message<wire::Hello>(*fresh->connection, deadline));
  return fresh;
}

void InstancePool::give_back(const std::string& instance, std::unique_ptr<InstanceConnection> connection) {
  const auto name = connection->path ? kPathPrefix + connection->path->function + ' ' + instance : instance;
  idle_.with([&](auto& instances) {
    auto& connections = instances[name];
    if (connections.size() < kMostIdle) connections.push_back(std::move(connection));
  });
}

Result<std::unique_ptr<wire::Connection>> InstancePool::open(const wire::LeaseGrant& grant, Deadline deadline,
                                                             const std::string& traceparent, std::string& way) {
  Error last(Code::kUnavailable, fmt::format("{} has no route", grant.instance()));
  for (const auto& route : grant.routes()) {
    if (route.kind() == wire::ROUTE_KIND_RELAY) {
      wire::OpenRelay relay;
      relay.set_cluster(grant.cluster());
      relay.set_node(grant.node());
      relay.set_instance(grant.instance());
      relay.set_traceparent(traceparent);
      way = "relay";
      auto relayed = task_manager_.open_relay(relay, deadline);
      if (relayed) return relayed;
      last = relayed.error();
      continue;
    }
    TCFDL_ASSIGN(const auto address, wire::parse_address(route.address()));
    if (const auto* local = std::get_if<wire::UnixAddress>(&address);
        local != nullptr && !std::filesystem::exists(local->path)) {
      continue;
    }
    way = std::holds_alternative<wire::UnixAddress>(address) ? "local" : "tcp";
    auto direct = wire::connect(address, deadline);
    if (direct) return *std::move(direct);
    last = direct.error();
  }
  return last;
}

} // namespace tcfdl::sdk
