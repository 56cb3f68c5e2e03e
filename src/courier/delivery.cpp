#include "courier/delivery.hpp"

#include "base/log.hpp"
#include "wire/lease_request.hpp"

#include <algorithm>

namespace tcfdl::courier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// 50 ms, then each time twice that, to a second.
milliseconds back_off(unsigned times) { return milliseconds(std::min(50U << std::min(times, 5U), 1000U)); }

wire::TaskState state_of(std::uint32_t code) {
  if (code == 0) return wire::TASK_STATE_SUCCEEDED;
  return code_from_number(code) == Code::kDeadlineExceeded ? wire::TASK_STATE_EXPIRED : wire::TASK_STATE_FAILED;
}

End failed(const Error& error) { return End::of(wire::TASK_STATE_FAILED, error); }
End cancelled() { return End::of(wire::TASK_STATE_CANCELLED, {Code::kCancelled, "the submitter cancelled the task"}); }
End expired(const std::string& why) { return End::of(wire::TASK_STATE_EXPIRED, {Code::kDeadlineExceeded, why}); }

} // namespace

Delivery::Delivery(Job job, const DeliveryParts& parts, Interruption& interruption)
    : job_(std::move(job)), parts_(parts), interruption_(interruption),
      deadline_(Deadline::after_millis(
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, job_.header.expires_ms() - parts.now())))) {}

void Delivery::run() {
  const LogScope scope({.task = job_.ref.id, .function = job_.header.function()});
  for (;;) {
    if (stopping()) return;
    if (auto end = attempt()) return record(*std::move(end));
  }
}

std::optional<End> Delivery::attempt() {
  if (interruption_.cancelled) return end_cancelled();
  if (deadline_.expired()) return expired("the deadline passed before the task ended");
  if (!job_.instance.empty()) {
    auto lost = find_again();
    if (lost || interruption_.stop.stop_requested() || deadline_.expired()) return lost;
  }
  const auto grant = parts_.leases.acquire(request(), interruption_.stop.get_token());
  if (!grant) return after_refusal(grant.error());
  return offer(*grant);
}

/// A task that may have begun is repeated where it did, which gives its outcome, or lost with its instance.
std::optional<End> Delivery::find_again() {
  while (!parts_.leases.resume(request(), job_.instance)) {
    if (interruption_.stop.stop_requested() || deadline_.expired()) return std::nullopt;
    if (!parts_.known_by.expired()) {
      pause(milliseconds(100));
      continue;
    }
    if (!parts_.leases.is_idempotent(job_.header.function())) {
      return failed(make_error(Code::kUnavailable,
                               "instance lost after start: {} ended while it had the task, and {} is not declared "
                               "idempotent, so the task was not repeated",
                               job_.instance, job_.header.function()));
    }
    job_.instance.clear();
    if (!parts_.store.set_waiting(job_.ref)) pause(seconds(1));
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<End> Delivery::after_refusal(const Error& refusal) {
  if (interruption_.stop.stop_requested()) return std::nullopt;
  switch (refusal.code()) {
  case Code::kDeadlineExceeded: return expired(refusal.message());
  case Code::kResourceExhausted: pause(std::max(refusal.retry_after(), back_off(attempts_++))); return std::nullopt;
  case Code::kAborted: pause(back_off(attempts_++)); return std::nullopt;
  default: return failed(refusal);
  }
}

/// Presents the task to the instance of a lease.
std::optional<End> Delivery::offer(const wire::LeaseGrant& grant) {
  if (grant.assurance() != job_.header.assurance()) {
    release(grant);
    return failed(make_error(Code::kFailedPrecondition, "the task is sealed for class '{}', the cluster has '{}' now",
                             job_.header.assurance(), grant.assurance()));
  }
  const bool is_repeat = !job_.instance.empty();
  const bool failed_before = std::ranges::find(excluded_, grant.instance()) != excluded_.end();
  auto link = InstanceLink::open(parts_.instances, grant.node(), grant.instance(),
                                 deadline_.earlier(Deadline::after(seconds(10))));
  Presented presented;
  if (!link)
    return is_repeat ? after_presentation(presented, link.error(), grant, true) : place_elsewhere(grant, failed_before);
  if (const auto marked = parts_.store.set_running(job_.ref, grant.instance(), grant.node()); !marked) {
    // What may begin must be known to have begun after a crash.
    release(grant);
    spdlog::error("task {} cannot be recorded as running: {}", job_.ref.id, marked.error().to_string());
    pause(seconds(1));
    return std::nullopt;
  }
  job_.instance = grant.instance();
  job_.node = grant.node();
  std::optional<std::stop_callback<std::function<void()>>> on_cancel;
  const auto accepted = [&] {
    on_cancel.emplace(interruption_.stop.get_token(), [this] {
      if (interruption_.cancelled) tell_to_end();
    });
  };
  const std::stop_callback on_stop(interruption_.stop.get_token(), [&] {
    if (!interruption_.cancelled) link->connection->shutdown();
  });
  const auto done = present(*link, parts_.instances, job_, grant, ++attempts_, deadline_, accepted, presented);
  on_cancel.reset();
  const bool busy = presented.refused && presented.refused->code() == Code::kUnavailable;
  if (busy && !is_repeat && !presented.accepted && !stopping()) return place_elsewhere(grant, failed_before);
  return after_presentation(presented, done, grant, is_repeat);
}

/// It did not begin there.
std::optional<End> Delivery::place_elsewhere(const wire::LeaseGrant& grant, bool failed_before) {
  release(grant);
  job_.instance.clear();
  job_.node.clear();
  const auto kept = parts_.store.set_waiting(job_.ref);
  if (failed_before || !kept) {
    pause(back_off(attempts_));
  } else if (excluded_.size() < static_cast<std::size_t>(wire::kMaxExcluded)) {
    excluded_.push_back(grant.instance());
  }
  return std::nullopt;
}

std::optional<End> Delivery::after_presentation(const Presented& presented, const Status& done,
                                                const wire::LeaseGrant& grant, bool is_repeat) {
  if (interruption_.cancelled) return end_cancelled();
  if (presented.header) return end_of(presented, *presented.header);
  if (!done && presented.too_large) return failed(done.error());
  if (!presented.refused) { // the connection broke or the disk is full; the instance may go on and keeps the outcome
    pause(back_off(attempts_));
    return std::nullopt;
  }
  if (is_repeat && presented.refused->code() == Code::kUnavailable) { // as while the first run has the only slot
    pause(back_off(attempts_));
    return std::nullopt;
  }
  release(grant);
  if (is_repeat && presented.refused->code() == Code::kAlreadyExists) {
    return failed(make_error(Code::kUnavailable, "instance lost after start: {} ran the task and kept no outcome",
                             job_.instance));
  }
  if (presented.refused->code() == Code::kDeadlineExceeded) return expired(presented.refused->message());
  return failed(*presented.refused);
}

End Delivery::end_of(const Presented& presented, const wire::ResultHeader& header) {
  End end;
  end.code = header.code();
  end.state = state_of(end.code);
  end.run_us = header.run_us();
  end.result_header = presented.head.header();
  end.result_salt = presented.head.salt();
  end.result_size = presented.size;
  return end;
}

/// What may run is told, wherever it was heard of last.
End Delivery::end_cancelled() {
  if (!job_.instance.empty() && !told_) tell_to_end();
  return cancelled();
}

void Delivery::tell_to_end() {
  const auto told = cancel_at(parts_.instances, job_, Deadline::after(seconds(10)));
  if (!told) spdlog::info("task {} is not told to end: {}", job_.ref.id, told.error().to_string());
  told_ = bool(told);
}

/// As the submitter would ask.
wire::LeaseRequest Delivery::request() const {
  wire::LeaseRequest request;
  request.set_task_id(job_.ref.id);
  request.set_function(job_.header.function());
  request.set_body_size(static_cast<std::uint64_t>(job_.body_size));
  request.set_remaining_ms(static_cast<std::uint32_t>(deadline_.left_millis()));
  request.set_cluster(job_.header.courier());
  request.set_protection(job_.header.protection());
  request.set_caller(job_.owner.name);
  request.set_caller_key(job_.owner.key);
  request.set_on_behalf_of(job_.owner.on_behalf_of);
  request.set_caller_node(job_.owner.node);
  request.set_priority(job_.priority);
  request.set_presented(true);
  request.set_traceparent(job_.sealed.traceparent());
  for (const auto& instance : excluded_) request.add_exclude(instance);
  return request;
}

void Delivery::release(const wire::LeaseGrant& grant) {
  wire::Lease lease;
  if (lease.ParseFromString(grant.lease().statement())) parts_.leases.release(lease.lease_id());
}

/// Not recorded, an end would be lost: it is tried until it is, or the process stops and finds the task as it was.
void Delivery::record(End end) {
  for (;;) {
    const auto recorded = parts_.store.end(job_.ref, end);
    if (recorded || stopping()) return;
    spdlog::error("the end of task {} is not recorded: {}", job_.ref.id, recorded.error().to_string());
    if (recorded.error().code() == Code::kResourceExhausted && end.result_size > 0) end = failed(recorded.error());
    pause(seconds(1));
  }
}

/// Ends early when the delivery is interrupted.
void Delivery::pause(milliseconds wanted) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait_for(lock, interruption_.stop.get_token(), std::min<std::chrono::nanoseconds>(wanted, deadline_.left()),
                 [] { return false; });
}

} // namespace tcfdl::courier
