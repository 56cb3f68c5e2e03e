#include "wire/hop_channel.hpp"

#include "wire/proto/hop.pb.h"

namespace tcfdl::wire {

HopChannel::HopChannel(Connection& carrier, Side side, HopAgreement agreement, std::int64_t now, HopLimits limits)
    : carrier_(carrier), side_(side), peer_(std::move(agreement.peer)),
      end_(Deadline::after(std::chrono::seconds(std::clamp<std::int64_t>(agreement.expires - now, 0, 86'400)))),
      sealer_(side == Side::kCaller ? HopDirection::kRequest : HopDirection::kResult,
              std::move(side == Side::kCaller ? agreement.request : agreement.result), limits),
      opener_(side == Side::kCaller ? HopDirection::kResult : HopDirection::kRequest,
              std::move(side == Side::kCaller ? agreement.result : agreement.request)) {}

Status HopChannel::send(FrameKind kind, BytesView payload, Deadline deadline) {
  return send_record(kind, task(), payload, deadline);
}

Result<FrameKind> HopChannel::receive(Bytes& payload, Deadline deadline) {
  TCFDL_ASSIGN(const auto record, receive_record(payload, deadline));
  if (side_ == Side::kInstance) {
    begin_task(record.task); // its place was checked
  } else if (record.task != task()) {
    shutdown();
    return Error(Code::kUnauthenticated, "a record of another task than the one under way");
  }
  return record.kind;
}

void HopChannel::begin_task(const HopTask& task) {
  const std::scoped_lock lock(mutex_);
  task_ = task;
}

HopTask HopChannel::task() const {
  const std::scoped_lock lock(mutex_);
  return task_;
}

Status HopChannel::check_life() const {
  if (!end_.expired()) return {};
  return make_error(Code::kUnauthenticated, "the certificates of the hop to {} have expired", peer_.subject());
}

Status HopChannel::send_record(FrameKind kind, const HopTask& task, BytesView content, Deadline deadline) {
  TCFDL_TRY(check_life());
  TCFDL_TRY(sealer_.seal(kind, task, content, outgoing_));
  return carrier_.send(kind, outgoing_, deadline);
}

Result<HopRecord> HopChannel::receive_record(Bytes& content, Deadline deadline) {
  TCFDL_ASSIGN(const auto kind, carrier_.receive(incoming_, deadline));
  TCFDL_TRY(check_life());
  const auto task = opener_.open(kind, incoming_, content);
  const auto placed = !task                    ? Status(task.error())
                      : side_ == Side::kCaller ? Status() // results: the task under way is the caller's to know
                                               : order_.check(kind, *task);
  if (placed) return HopRecord{kind, *task};
  shutdown(); // nothing more of it is believed
  return placed.error();
}

Result<std::unique_ptr<HopChannel>> open_hop(Connection& carrier, const HopIdentity& identity,
                                             std::initializer_list<Role> roles, std::int64_t now, Deadline deadline) {
  TCFDL_TRY(receive_message<Hello>(carrier, deadline)); // who answers is in its certificate
  HopInitiator initiator(identity);
  TaskRequest request;
  request.set_hop(field(initiator.offer()));
  TCFDL_TRY(send_message(carrier, request, deadline));
  Bytes answer;
  TCFDL_ASSIGN(const auto kind, carrier.receive(answer, deadline));
  if (kind != FrameKind::kMessage) return Error(Code::kInvalidArgument, "a segment where a hop's answer was expected");
  Bytes finish;
  TCFDL_ASSIGN(auto agreement, initiator.finish(answer, roles, now, finish));
  TCFDL_TRY(carrier.send(FrameKind::kMessage, finish, deadline));
  return std::make_unique<HopChannel>(carrier, HopChannel::Side::kCaller, std::move(agreement), now);
}

Result<std::unique_ptr<HopChannel>> accept_hop(Connection& carrier, const HopIdentity& identity, BytesView offer,
                                               std::initializer_list<Role> roles, std::int64_t now, Deadline deadline) {
  auto responder = HopResponder::answer(identity, offer, roles, now);
  if (!responder) {
    HopAnswer refusal;
    *refusal.mutable_error() = to_info(responder.error());
    (void)send_message(carrier, refusal, deadline); // the peer may be gone; it is refused either way
    return responder.error();
  }
  TCFDL_TRY(carrier.send(FrameKind::kMessage, responder->message(), deadline));
  Bytes finish;
  TCFDL_ASSIGN(const auto kind, carrier.receive(finish, deadline));
  if (kind != FrameKind::kMessage) return Error(Code::kInvalidArgument, "a segment where a hop's end was expected");
  TCFDL_ASSIGN(auto agreement, std::move(*responder).confirm(finish));
  return std::make_unique<HopChannel>(carrier, HopChannel::Side::kInstance, std::move(agreement), now);
}

Result<std::vector<std::string>> extend_path(Connection& hop, const HopRoute& route, Deadline deadline) {
  TCFDL_ASSIGN(const auto ready, exchange<HopReady>(hop, route, deadline));
  if (ready.has_error()) return to_error(ready.error());
  return std::vector<std::string>(ready.proxies().begin(), ready.proxies().end());
}

Status answer_route(Connection& hop, const Result<std::vector<std::string>>& proxies, Deadline deadline) {
  HopReady ready;
  if (proxies) {
    for (const auto& proxy : *proxies) ready.add_proxies(proxy);
  } else {
    *ready.mutable_error() = to_info(proxies.error());
  }
  return send_message(hop, ready, deadline);
}

} // namespace tcfdl::wire
