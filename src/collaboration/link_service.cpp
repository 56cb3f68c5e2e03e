#include "collaboration/link_service.hpp"

#include "collaboration/subjects.hpp"

namespace tcfdl::collaboration {
namespace {

Result<Bytes> handle(LocalTasks& tasks, const message_queue::Message& message) {
  TCFDL_ASSIGN(const auto request, wire::parse<wire::LinkRequest>(message.data));
  if (request.cluster() != subject_token(message.subject, kAskingCluster)) {
    return Error(Code::kPermissionDenied, "a master asks in the name of its own cluster only");
  }
  wire::LinkReply reply;
  if (request.has_lease()) {
    auto lease = request.lease();
    lease.set_peer(request.cluster());
    lease.clear_caller_node(); // a name of another cluster
    TCFDL_ASSIGN(*reply.mutable_grant(), tasks.lease(lease));
  } else if (request.has_release()) {
    tasks.release(request.release());
  } else if (!request.has_ping()) {
    return Error(Code::kUnimplemented, "this cluster does not know the request");
  }
  return wire::serialize(reply);
}

} // namespace

Result<LinkService> LinkService::start(message_queue::Bus& bus, LocalTasks& tasks) {
  TCFDL_ASSIGN(auto service,
               bus.serve(kLinkSubjects, [&tasks](const auto& message) { return handle(tasks, message); }));
  return LinkService(std::move(service));
}

} // namespace tcfdl::collaboration
