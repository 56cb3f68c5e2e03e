#include "courier/presentation.hpp"

#include "base/file.hpp"
#include "crypto/sealing.hpp"

#include <fcntl.h>
#include <thread>

namespace tcfdl::courier {
namespace {

std::size_t segment_size(const Job& job) {
  return job.sealed.has_capsule() ? crypto::kSealedSegmentSize : crypto::kSegmentSize;
}

/// Fills `piece` from the file.
Status read_piece(int fd, std::span<std::uint8_t> piece) {
  while (!piece.empty()) {
    const auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", "a stored body");
    if (got == 0) return Error(Code::kDataLoss, "a stored body is shorter than it was");
    piece = piece.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

/// The segments as the submitter sealed them: full ones, then the last.
Status send_stored(wire::Connection& connection, const Job& job, Deadline deadline) {
  const UniqueFd fd(::open(job.body.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", job.body);
  Bytes piece(segment_size(job));
  auto left = static_cast<std::size_t>(job.body_size);
  for (;;) {
    const bool last = left <= piece.size();
    const auto part = std::span(piece).first(std::min(left, piece.size()));
    TCFDL_TRY(read_piece(fd.get(), part));
    TCFDL_TRY(connection.send(last ? wire::FrameKind::kLastSegment : wire::FrameKind::kSegment, part, deadline));
    if (last) return {};
    left -= part.size();
  }
}

Result<std::int64_t> receive_result(wire::Connection& connection, const Job& job, Deadline deadline, bool& too_large) {
  const UniqueFd fd(::open(job.result.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kPrivateFile));
  if (!fd.valid()) return errno_error("cannot create", job.result);
  Bytes segment;
  for (std::int64_t size = 0;;) {
    TCFDL_ASSIGN(const auto kind, connection.receive(segment, deadline));
    if (kind == wire::FrameKind::kMessage) return Error(Code::kUnavailable, "a message within a result");
    size += static_cast<std::int64_t>(segment.size());
    too_large = size > job.largest_result;
    if (too_large) {
      return make_error(Code::kResourceExhausted, "the result has more than {} MiB, which is the caller's quota",
                        job.largest_result >> 20);
    }
    TCFDL_TRY(write_all(fd.get(), segment));
    if (kind != wire::FrameKind::kLastSegment) continue;
    if (::fsync(fd.get()) != 0) return errno_error("cannot sync", job.result);
    TCFDL_TRY(sync_directory(job.result.parent_path()));
    return size;
  }
}

Status receive(wire::Connection& connection, const Job& job, Deadline deadline,
               const std::function<void()>& on_accepted, Presented& out) {
  for (;;) {
    TCFDL_ASSIGN(const auto reply, wire::receive_message<wire::TaskReply>(connection, deadline));
    if (reply.has_refused()) {
      out.refused = wire::to_error(reply.refused());
      return {};
    }
    if (!reply.has_result()) {
      out.accepted = true;
      on_accepted();
      continue;
    }
    TCFDL_ASSIGN(auto header, wire::parse<wire::ResultHeader>(reply.result().header()));
    if (header.task_id() != job.ref.id || header.instance() != job.instance || header.receipt()) {
      return make_error(Code::kUnavailable, "{} answers with a result of another task", job.instance);
    }
    TCFDL_ASSIGN(out.size, receive_result(connection, job, deadline, out.too_large));
    out.head = reply.result();
    out.header = std::move(header);
    return {};
  }
}

} // namespace

Result<InstanceLink> InstanceLink::open(Instances& instances, const std::string& node, const std::string& instance,
                                        Deadline deadline) {
  InstanceLink link;
  TCFDL_ASSIGN(link.connection, instances.open(node, instance));
  TCFDL_ASSIGN(link.hello, wire::receive_message<wire::Hello>(*link.connection, deadline));
  if (link.hello.name() == instance) return link;
  return make_error(Code::kUnavailable, "{} answers where {} was expected", link.hello.name(), instance);
}

Status present(InstanceLink& link, Instances& instances, const Job& job, const wire::LeaseGrant& grant,
               unsigned attempt, Deadline deadline, const std::function<void()>& on_accepted, Presented& out) {
  auto& connection = *link.connection;
  wire::TaskRequest request;
  *request.mutable_lease() = grant.lease();
  *request.mutable_master_certificate() = grant.master_certificate();
  request.set_sealed_header(job.sealed.header());
  request.set_salt(job.sealed.salt());
  if (job.sealed.has_capsule()) *request.mutable_capsule() = job.sealed.capsule();
  request.set_possession(instances.possession(link.hello));
  request.set_remaining_ms(static_cast<std::uint32_t>(deadline.left_millis()));
  request.set_attempt(attempt);
  request.set_way("courier");
  request.set_traceparent(job.sealed.traceparent());
  request.set_tracestate(job.sealed.tracestate());
  TCFDL_TRY(wire::send_message(connection, request, deadline));
  // A handler may answer while it still reads: side by side, or both sides could wait for ever.
  std::jthread sender([&] {
    if (!send_stored(connection, job, deadline)) connection.shutdown();
  });
  auto received = receive(connection, job, deadline, on_accepted, out);
  if (!received) connection.shutdown();
  return received;
}

Status cancel_at(Instances& instances, const Job& job, Deadline deadline) {
  TCFDL_ASSIGN(const auto link, InstanceLink::open(instances, job.node, job.instance, deadline));
  wire::TaskRequest request;
  *request.mutable_master_certificate() = instances.certificate();
  request.set_possession(instances.possession(link.hello));
  request.mutable_cancel()->set_caller_key(job.owner.key);
  request.mutable_cancel()->set_task_id(job.ref.id);
  TCFDL_ASSIGN(const auto reply, wire::exchange<wire::TaskReply>(*link.connection, request, deadline));
  if (reply.has_refused()) return wire::to_error(reply.refused());
  return {};
}

} // namespace tcfdl::courier
