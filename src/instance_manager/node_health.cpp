// How a node notices that an instance hangs.
#include "instance_manager/node_instances.hpp"

namespace tcfdl::instance_manager {
namespace {

using std::chrono::milliseconds;

milliseconds or_else(std::uint32_t ordered, milliseconds otherwise) {
  return ordered > 0 ? milliseconds(ordered) : otherwise;
}

} // namespace

milliseconds NodeInstances::ready_within(const Record& record) const {
  return or_else(record.order.health().ready_within_ms(), settings_.start_timeout);
}

milliseconds NodeInstances::answer_within(const Record& record) const {
  return or_else(record.order.health().answer_within_ms(), settings_.answer_within);
}

milliseconds NodeInstances::overdue_after(const Record& record) const {
  return or_else(record.order.health().overdue_ms(), settings_.overdue);
}

/// Two pings fit into the time for an answer: one may come late.
void NodeInstances::watch(const Record& record) {
  post_after(answer_within(record) / 2, [this, id = record.id, run = record.run] { handle_ping(id, run); });
}

void NodeInstances::handle_ping(const InstanceId& id, std::uint64_t run) {
  auto* record = find(id, run);
  if (record == nullptr || record->life.state() != State::kReady || !record->agent) return;
  const auto within = answer_within(*record);
  if (queue_.now() - record->answered_at > within) {
    return fail(*record, fmt::format("it did not answer its node for {} s", within.count() / 1000));
  }
  wire::InstanceCommand command;
  command.mutable_ping();
  send(*record, std::move(command));
  watch(*record);
}

void NodeInstances::answered(const Admission& admission, milliseconds overdue) {
  post([this, admission, overdue] {
    auto* record = find(admission.instance, admission.run);
    if (record == nullptr || record->life.state() != State::kReady) return;
    record->answered_at = queue_.now();
    if (overdue <= overdue_after(*record)) return;
    fail(*record, fmt::format("a task runs {} s past its deadline", overdue.count() / 1000));
  });
}

} // namespace tcfdl::instance_manager
