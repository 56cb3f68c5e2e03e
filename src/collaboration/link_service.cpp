#include "collaboration/link_service.hpp"

#include "collaboration/subjects.hpp"

namespace tcfdl::collaboration {
namespace {

Result<Bytes> handle(LocalTasks& tasks, BytesView bytes) {
  TCFDL_ASSIGN(const auto request, wire::parse<wire::LinkRequest>(bytes));
  wire::LinkReply reply;
  if (request.has_lease()) {
    TCFDL_ASSIGN(*reply.mutable_grant(), tasks.lease(request.lease()));
  } else if (request.has_release()) {
    tasks.release(request.release());
  } else if (!request.has_ping()) {
    return Error(Code::kUnimplemented, "this cluster does not know the request");
  }
  return wire::serialize(reply);
}

} // namespace

Result<LinkService> LinkService::start(message_queue::Bus& bus, LocalTasks& tasks) {
  TCFDL_ASSIGN(auto service, bus.serve(kLinkSubject, [&tasks](BytesView bytes) { return handle(tasks, bytes); }));
  return LinkService(std::move(service));
}

} // namespace tcfdl::collaboration
