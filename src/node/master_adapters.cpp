#include "node/master_adapters.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::node {

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
  for (const auto& address : instance.addresses) {
    auto& route = info.routes.emplace_back();
    route.set_kind(address.starts_with("unix:") ? wire::ROUTE_KIND_LOCAL : wire::ROUTE_KIND_TCP);
    route.set_address(address);
  }
  info.routes.emplace_back().set_kind(wire::ROUTE_KIND_RELAY);
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
