#include "node/master_adapters.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"

#include "wire/address.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tcfdl::node {
namespace {

/// On the instance's node: by its socket and its port on loopback. Elsewhere: by its port on the network; without one
/// the other node may still be on the same machine. A relay leads everywhere.
void set_routes(task_manager::InstanceInfo& info, const std::vector<std::string>& addresses) {
  std::vector<wire::Route> loopback;
  for (const auto& text : addresses) {
    const auto address = wire::parse_address(text);
    if (!address) continue;
    const auto* tcp = std::get_if<wire::TcpAddress>(&*address);
    wire::Route route;
    route.set_kind(tcp == nullptr ? wire::ROUTE_KIND_LOCAL : wire::ROUTE_KIND_TCP);
    route.set_address(text);
    if (tcp != nullptr && wire::is_loopback(*tcp)) {
      loopback.push_back(std::move(route));
      continue;
    }
    if (tcp == nullptr) info.routes.push_back(route);
    info.far_routes.push_back(std::move(route));
  }
  info.routes.insert(info.routes.end(), loopback.begin(), loopback.end());
  const auto is_network = [](const wire::Route& route) { return route.kind() == wire::ROUTE_KIND_TCP; };
  if (std::ranges::none_of(info.far_routes, is_network)) {
    info.far_routes.insert(info.far_routes.end(), loopback.begin(), loopback.end());
  }
  info.routes.emplace_back().set_kind(wire::ROUTE_KIND_RELAY);
  info.far_routes.emplace_back().set_kind(wire::ROUTE_KIND_RELAY);
}

} // namespace

Status NodeCommander::start(const NodeId& node, const wire::StartInstance& order, Deadline deadline) {
  wire::NodeCommand command;
  *command.mutable_start() = order;
  TCFDL_TRY(ask(node, command, deadline));
  return {};
}

Status NodeCommander::stop(const NodeId& node, const wire::StopInstance& order, Deadline deadline) {
  wire::NodeCommand command;
  *command.mutable_stop() = order;
  TCFDL_TRY(ask(node, command, deadline));
  return {};
}

Status NodeCommander::probe(const NodeId& node, Deadline deadline) {
  wire::NodeCommand command;
  command.mutable_report();
  TCFDL_TRY(ask(node, command, deadline));
  return {};
}

void NodeCommander::ask_status(const NodeId& node) {
  wire::NodeCommand command;
  command.mutable_report();
  const auto sent = bus_.publish(collaboration::command_subject(node.str()), wire::serialize(command));
  if (!sent) spdlog::debug("cannot ask node {} for its status: {}", node, sent.error().message());
}

Result<wire::Logs> NodeCommander::logs(const NodeId& node, const wire::ReadLogs& request, Deadline deadline) {
  wire::NodeCommand command;
  *command.mutable_logs() = request;
  TCFDL_ASSIGN(auto reply, ask(node, command, deadline));
  return std::move(*reply.mutable_logs());
}

Status NodeCommander::recall(const NodeId& node, const wire::RecallBurst& order) {
  wire::NodeCommand command;
  *command.mutable_recall() = order;
  return bus_.publish(collaboration::command_subject(node.str()), wire::serialize(command));
}

Result<wire::NodeCommandReply> NodeCommander::ask(const NodeId& node, const wire::NodeCommand& command,
                                                  Deadline deadline) {
  auto reply = bus_.request(collaboration::command_subject(node.str()), wire::serialize(command), deadline);
  if (!reply) return reply.error().within(fmt::format("node {}", node));
  return wire::parse<wire::NodeCommandReply>(*reply);
}

void NodeRecalls::recall(const task_manager::Recall& burst) {
  wire::RecallBurst order;
  order.set_instance(burst.instance.str());
  order.set_lease_id(burst.lease_id);
  const auto sent = commander_.recall(burst.node, order);
  if (!sent) spdlog::debug("cannot recall a burst lease of {}: {}", burst.instance, sent.error().message());
}

void InstanceRouter::on_ready(const instance_manager::ReadyInstance& instance) {
  task_manager::InstanceInfo info;
  info.id = instance.instance;
  info.function = instance.function;
  info.node = instance.node;
  info.tee_kind = instance.tee_kind;
  info.version = instance.version;
  set_routes(info, instance.addresses);
  tasks_.set_instance(std::move(info));
  const nlohmann::json route{
      {"function", instance.function.str()}, {"node", instance.node.str()}, {"addresses", instance.addresses}};
  const auto kept = routes_.put(collaboration::kRoutesBucket, instance.instance.str(), as_bytes(route.dump()));
  if (!kept) spdlog::warn("cannot publish the route of {}: {}", instance.instance, kept.error().message());
}

void InstanceRouter::on_gone(const InstanceId& instance, const std::string& reason) {
  tasks_.remove_instance(instance, reason);
  const auto removed = routes_.remove(collaboration::kRoutesBucket, instance.str());
  if (!removed) spdlog::warn("cannot withdraw the route of {}: {}", instance, removed.error().message());
}

} // namespace tcfdl::node
