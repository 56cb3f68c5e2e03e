// Tasks that a master presents in their sender's place. docs/decisions/0013-asynchronous-tasks.md has the rules.
#include "sdk/task_server_session.hpp"

namespace tcfdl::sdk {

/// The sender says which cluster's master may present the task, in a header that is bound to the body's key; the lease
/// says that the master does.
Status TaskServer::check_presented(const Session& session, const Task& task) const {
  const auto& courier = task.header.courier();
  if (!task.lease.presented() && courier.empty()) return {};
  if (!task.lease.presented()) {
    return make_error(Code::kPermissionDenied, "the task is left to the master of {}; it came from its sender",
                      courier);
  }
  if (courier != task.lease.cluster()) {
    return make_error(Code::kPermissionDenied, "the master of {} presents a task that its sender left to {}",
                      task.lease.cluster(), courier.empty() ? "nobody" : "that of " + courier);
  }
  if (session.hop != nullptr) return Error(Code::kPermissionDenied, "a master presents a task on a path of proxies");
  if (!settings_.isolated) return {};
  return make_error(Code::kFailedPrecondition, "{} keeps its instances apart; call it directly", settings_.function);
}

bool TaskServer::handle_cancel(Session& session, const wire::TaskRequest& request) {
  const auto cancelled = cancel_presented(session, request);
  wire::TaskReply reply;
  if (cancelled) reply.mutable_accepted();
  if (!cancelled) *reply.mutable_refused() = wire::to_info(cancelled.error());
  return bool(wire::send_message(session.connection, reply, Deadline::after(std::chrono::seconds(10))));
}

/// A master ends what a master of its cluster presented, and nothing else.
Status TaskServer::cancel_presented(Session& session, const wire::TaskRequest& request) {
  TCFDL_ASSIGN(const auto claimed, wire::parse<wire::Certificate>(request.master_certificate().statement()));
  TCFDL_ASSIGN(const auto master, master_key(request.master_certificate(), claimed.cluster()));
  TCFDL_TRY(check_possession(session, request, wire::field(master.bytes())));
  if (presented_.cancel(claimed.cluster(), request.cancel())) return {};
  return make_error(Code::kNotFound, "task {} does not run here", request.cancel().task_id());
}

} // namespace tcfdl::sdk
