#include "sdk/caller.hpp"

#include "crypto/random.hpp"
#include "sdk/requests.hpp"
#include "wire/lease_request.hpp"
#include "wire/receipt.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tcfdl::sdk {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;

class WholeBody final : public RequestBody {
public:
  explicit WholeBody(BytesView body) : body_(body) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return body_.size(); }
  bool restart() override { return true; }
  Status send(wire::SegmentWriter& writer) override { return writer.write(body_); }

private:
  BytesView body_;
};

class StreamedBody final : public RequestBody {
public:
  explicit StreamedBody(BodyReader& reader) : reader_(reader) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return reader_.size(); }
  bool restart() override { return !std::exchange(begun_, false) || reader_.rewind(); }
  /// What the reader gives in small pieces does not wait for the next one.
  Status send(wire::SegmentWriter& writer) override {
    begun_ = true;
    Bytes piece(crypto::kSegmentSize);
    for (;;) {
      TCFDL_ASSIGN(const auto size, reader_.read(piece));
      if (size == 0) return {};
      TCFDL_TRY(writer.write(BytesView(piece).first(size)));
      if (size < piece.size() && !reader_.size()) TCFDL_TRY(writer.flush());
    }
  }

private:
  BodyReader& reader_;
  bool begun_ = false;
};

class WholeSink final : public ResultSink {
public:
  bool restart() override {
    bytes.clear();
    return true;
  }
  Status write(BytesView piece) override {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  }
  Bytes bytes;
};

class StreamedSink final : public ResultSink {
public:
  explicit StreamedSink(BodyWriter& writer) : writer_(writer) {}
  bool restart() override { return !begun_; }
  Status write(BytesView piece) override {
    begun_ = true;
    return writer_.write(piece);
  }

private:
  BodyWriter& writer_;
  bool begun_ = false;
};

/// How often a call asks anew when what it was offered is an older version, as while a new one is deployed.
constexpr unsigned kOlderOffers = 5;
/// How often a call gets other keys, as while epochs change.
constexpr unsigned kMostNewKeys = 3;

/// An instance says within this time that it is there and takes a task, or another one is asked. It is longer than a
/// lease serves, so that who gets the request later than that refuses it.
constexpr milliseconds kAnswerWithin{6000};

/// More than an answer takes from the instance to here.
constexpr milliseconds kOneWay{200};

/// 20 ms, then each time twice that, to a second.
milliseconds back_off(unsigned times) { return milliseconds(std::min(20U << std::min(times, 6U), 1000U)); }

/// Errors of the platform before the handler ran; another instance may do better.
bool worth_another_instance(const Error& error) { return error.code() == Code::kUnavailable; }

} // namespace

/// The state of one call over its attempts.
struct Caller::Attempt {
  explicit Attempt(const CallOptions& given) : options(given), deadline(Deadline::after(given.timeout)) {}

  CallOptions options;
  Deadline deadline;
  wire::LeaseRequest request;
  CallReport report;
  std::string kind; ///< of calls that may share a burst lease; empty: this one has a lease of its own
  wire::LeaseGrant grant;
  wire::Lease lease;
  wire::Descriptor descriptor;
  TraceContext trace;                 ///< of the call
  bool traced = false;                ///< somebody asked for it; otherwise its id is the task's, which all know
  std::string tracestate;             ///< of who began the trace
  std::unique_ptr<CallerBurst> burst; ///< that it goes on with, or begins
  bool accepted = false;
  bool answered = false;
  bool older = false;        ///< the offer is of a version below one that is known
  std::string unsure_at;     ///< the instance that may have begun the task: it or the cluster says whether it did
  bool refused_keys = false; ///< the instance takes no capsule of that epoch
  unsigned new_keys = 0;     ///< how often that was so
  unsigned returns = 0;      ///< how often an instance that had failed was all there was
  unsigned older_offers = 0; ///< so far
};

Result<CallReport> Caller::call(const std::string& function, BodyReader& body, BodyWriter& result,
                                const CallOptions& options) {
  StreamedBody source(body);
  StreamedSink sink(result);
  return run(function, source, sink, options);
}

Result<CallResult> Caller::call_whole(const std::string& function, BytesView body, const CallOptions& options) {
  WholeBody source(body);
  WholeSink sink;
  TCFDL_ASSIGN(auto report, run(function, source, sink, options));
  return CallResult{std::move(sink.bytes), std::move(report)};
}

Result<CallReport> Caller::run(const std::string& function, RequestBody& body, ResultSink& result,
                               const CallOptions& options) {
  TCFDL_ASSIGN(const auto name, parse_function_name(function));
  if (!options.task_id.empty() && !is_uuid(options.task_id)) {
    return make_error(Code::kInvalidArgument, "the task id '{}' is no UUID in lower case", options.task_id);
  }
  TCFDL_TRY(check_route(options));
  Attempt state(options);
  state.request.set_task_id(options.task_id.empty() ? make_uuid() : options.task_id);
  state.request.set_function(name.str());
  state.request.set_body_size(body.size().value_or(0));
  state.request.set_cluster(options.cluster);
  state.request.set_on_behalf_of(options.on_behalf_of);
  state.request.set_priority(wire_priority(options.priority));
  state.request.set_protection(std::string(protection_name(options.protection)));
  state.report.function = name.str();
  state.report.task_id = state.request.task_id();
  state.report.protection = options.protection;
  // A task whose id the caller chose may be repeated, and only a lease of its own is remembered.
  if (options.task_id.empty() && options.protection != Protection::kHse && body.size().value_or(0) > 0) {
    state.kind = CallerBursts::kind_of(state.request, options);
  }
  const auto given = TraceContext::parse(options.traceparent);
  const auto context = given ? *given : wire::begin_trace(state.request.task_id(), spans_);
  if (given && is_tracestate(options.tracestate)) state.tracestate = options.tracestate;
  wire::OpenSpan span(spans_, context, "call " + name.str(), wire::SPAN_KIND_CLIENT, !given);
  span.set("task", state.request.task_id());
  state.trace = span.context();
  state.traced = given || context.sampled;
  state.report.trace_id = context.trace_text();
  auto report = run_traced(state, body, result);
  span.set_outcome(report ? Status() : Status(report.error()));
  return report;
}

Result<CallReport> Caller::run_traced(Attempt& state, RequestBody& body, ResultSink& result) {
  const auto& options = state.options;
  for (state.report.attempts = 1;; ++state.report.attempts) {
    const auto done = attempt(state, body, result);
    if (done && !state.kind.empty()) bursts_.note_end(state.kind);
    if (done) return state.report;
    if (options.cancel.stop_requested()) return Error(Code::kCancelled, "the caller cancelled the task");
    if (state.deadline.expired()) {
      return done.error().code() == Code::kDeadlineExceeded ? done.error()
                                                            : Error(Code::kDeadlineExceeded, done.error().message());
    }
    if (state.older && state.older_offers < kOlderOffers) {
      wait(state, back_off(state.older_offers++));
      continue;
    }
    if (state.refused_keys && state.new_keys++ < kMostNewKeys && body.restart() && result.restart()) continue;
    if (come_again(state, done.error())) continue;
    if (state.grant.instance().empty() || state.answered || !worth_another_instance(done.error())) return done.error();
    if (state.accepted && !state.descriptor.idempotent()) {
      return make_error(
          Code::kUnavailable,
          "instance lost after start: {} ({}); {} is not declared idempotent, so the call was not repeated",
          state.grant.instance(), done.error().message(), state.request.function());
    }
    if (!body.restart() || !result.restart()) return done.error();
    if (state.unsure_at.empty()) {
      look_elsewhere(state);
    } else {
      wait(state, back_off(state.returns++));
    }
  }
}

/// Has the next attempt elsewhere; with nothing else there, later.
void Caller::look_elsewhere(Attempt& attempt) {
  auto& excluded = *attempt.request.mutable_exclude();
  if (std::ranges::find(excluded, attempt.grant.instance()) == excluded.end()) {
    if (excluded.size() == wire::kMaxExcluded) excluded.DeleteSubrange(0, 1);
    *excluded.Add() = attempt.grant.instance();
    return;
  }
  wait(attempt, back_off(attempt.returns++));
}

/// Waits as long as the task manager says that its queue is full, and up to half as long again, so that those who were
/// refused together do not come together. False when that does not fit into the call's time.
bool Caller::come_again(const Attempt& attempt, const Error& refusal) {
  const bool full = refusal.code() == Code::kResourceExhausted && refusal.retry_after().count() > 0;
  if (!full || !attempt.options.retry_busy || !attempt.grant.instance().empty()) return false;
  const auto draw = crypto::random_array<1>()[0];
  const std::chrono::nanoseconds pause = refusal.retry_after() + refusal.retry_after() * draw / 512;
  if (pause >= attempt.deadline.left()) return false;
  wait(attempt, pause);
  return true;
}

/// Ends with the deadline or when the call is cancelled.
void Caller::wait(const Attempt& attempt, std::chrono::nanoseconds pause) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait_for(lock, attempt.options.cancel, std::min(pause, attempt.deadline.left()), [] { return false; });
}

Status Caller::attempt(Attempt& attempt, RequestBody& body, ResultSink& result) {
  attempt.accepted = attempt.answered = attempt.older = attempt.refused_keys = false;
  const bool may_burst = !attempt.kind.empty() && attempt.report.attempts == 1;
  attempt.burst = may_burst ? bursts_.take(attempt.kind, attempt.deadline) : nullptr;
  if (attempt.burst) {
    auto done = go_on(attempt, body, result);
    const bool is_over = !done && !attempt.accepted && done.error().code() == Code::kUnavailable;
    if (!is_over || !body.restart()) return done;
  }
  attempt.request.set_burst(may_burst && bursts_.is_steady(attempt.kind));
  TCFDL_TRY(take_lease(attempt));
  auto done = take_offer(attempt);
  if (done) done = exchange(attempt, body, result);
  if (!done && !attempt.accepted && attempt.unsure_at.empty()) {
    wire::LeaseRelease release;
    release.set_lease_id(attempt.lease.lease_id());
    release.set_cluster(attempt.grant.cluster());
    release.set_reason(done.error().message());
    task_manager_.release(release);
  }
  return done;
}

void Caller::note_place(Attempt& attempt) {
  attempt.report.cluster = attempt.grant.cluster();
  attempt.report.node = attempt.grant.node();
  attempt.report.instance = attempt.grant.instance();
  attempt.report.tee_kind = attempt.grant.tee_kind();
}

/// The next task of a burst lease. UNAVAILABLE, not accepted: the burst is over.
Status Caller::go_on(Attempt& attempt, RequestBody& body, ResultSink& result) {
  attempt.grant = std::move(attempt.burst->grant);
  attempt.descriptor = std::move(attempt.burst->descriptor);
  note_place(attempt);
  return exchange(attempt, body, result);
}

Status Caller::take_lease(Attempt& attempt) {
  attempt.grant.Clear();
  attempt.burst.reset();
  const auto asked = Deadline::Clock::now();
  attempt.request.set_remaining_ms(static_cast<std::uint32_t>(attempt.deadline.left_millis()));
  wire::OpenSpan span(spans_, attempt.trace, "lease", wire::SPAN_KIND_CLIENT);
  if (attempt.traced) attempt.request.set_traceparent(span.context().traceparent());
  auto granted = task_manager_.lease(attempt.request, attempt.deadline, attempt.options.cancel);
  span.set_outcome(granted ? Status() : Status(granted.error()));
  span.end();
  TCFDL_ASSIGN(attempt.grant, std::move(granted));
  attempt.report.wait_us += micros_since(asked);
  if (attempt.grant.instance() != attempt.unsure_at) attempt.unsure_at.clear();
  note_place(attempt);
  TCFDL_ASSIGN(attempt.lease, wire::parse<wire::Lease>(attempt.grant.lease().statement()));
  const milliseconds time(attempt.lease.burst_ms());
  if (attempt.lease.burst_tasks() > 1) {
    attempt.burst = std::make_unique<CallerBurst>(CallerBurst{.until = Deadline::after(time - time / 10),
                                                              .end = Deadline(attempt.deadline.when() + time),
                                                              .left = attempt.lease.burst_tasks()});
  }
  return {};
}

Status Caller::take_offer(Attempt& attempt) {
  TCFDL_ASSIGN(attempt.descriptor, descriptor_of(attempt.grant.descriptor()));
  TCFDL_TRY(check_offer(attempt.descriptor, attempt.grant, attempt.request.function(), attempt.options.assurance));
  auto known = names_->check(attempt.descriptor, attempt.grant.descriptor());
  attempt.older = !known && known.error().code() == Code::kFailedPrecondition;
  if (!known) return known.error().within("cluster " + attempt.grant.cluster());
  return check_protection(attempt.descriptor, attempt.options.protection);
}

/// The same offer comes with every lease: its owner's signature is verified once.
Result<wire::Descriptor> Caller::descriptor_of(const wire::Signed& offered) {
  constexpr std::size_t kMostKept = 256;
  const auto name = offered.SerializeAsString();
  auto known = descriptors_.with([&](const auto& descriptors) {
    const auto found = descriptors.find(name);
    return found == descriptors.end() ? std::nullopt : std::optional(found->second);
  });
  if (known) return *std::move(known);
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(offered));
  descriptors_.with([&](auto& descriptors) {
    if (descriptors.size() >= kMostKept) descriptors.clear();
    descriptors.emplace(name, descriptor);
  });
  return descriptor;
}

/// The authority states whose the name is beside the key that the capsule was made with.
Status Caller::confirm_owner(Attempt& attempt, const ReadyCapsule& capsule) {
  const auto confirmed = names_->accept(capsule.scope, attempt.descriptor, attempt.grant.descriptor());
  attempt.older = !confirmed && confirmed.error().code() == Code::kFailedPrecondition;
  if (!confirmed) return confirmed.error().within("cluster " + attempt.grant.cluster());
  return {};
}

/// A connection for the attempt's task, protected as the caller wants it.
Result<std::unique_ptr<InstanceConnection>> Caller::connect(Attempt& attempt, const std::string& traceparent) {
  auto instance = connect(attempt, traceparent, attempt.deadline.earlier(Deadline::after(kAnswerWithin)));
  if (instance || instance.error().code() != Code::kDeadlineExceeded || attempt.deadline.expired()) return instance;
  return make_error(Code::kUnavailable, "{} does not answer: {}", attempt.grant.instance(), instance.error().message());
}

Result<std::unique_ptr<InstanceConnection>> Caller::connect(Attempt& attempt, const std::string& traceparent,
                                                            Deadline deadline) {
  if (attempt.options.protection != Protection::kHse) {
    attempt.report.seals = attempt.options.protection == Protection::kEae ? 1 : 0;
    if (attempt.burst && attempt.burst->connection) return std::move(attempt.burst->connection);
    return pool_.take(attempt.grant, attempt.descriptor, attempt.options, deadline, traceparent);
  }
  TCFDL_ASSIGN(const auto task, wire::hop_task(attempt.request.task_id()));
  TCFDL_ASSIGN(auto instance, pool_.take_path(attempt.grant, attempt.request.function(), deadline));
  static_cast<wire::HopChannel&>(*instance->connection).begin_task(task);
  attempt.report.proxies = instance->path->proxies;
  attempt.report.seals = static_cast<unsigned>(instance->path->proxies.size() + 1);
  return instance;
}

/// Takes a receipt that verifies and is of this task. The bodies may be gone: whoever has them holds them against it.
Status Caller::take_receipt(Attempt& attempt, Bytes receipt) const {
  const auto verdict = wire::verify_receipt(
      receipt, {.authority = identity_.authority, .now = clock_.now(), .input = std::nullopt, .output = std::nullopt});
  TCFDL_ASSIGN(const auto statement, verdict.outcome());
  const auto owner = crypto::sha256(as_bytes(attempt.descriptor.owner_key()));
  if (statement.task_id() != attempt.request.task_id() || statement.instance() != attempt.grant.instance() ||
      statement.function() != attempt.request.function() || statement.owner() != wire::field(owner) ||
      statement.caller_key() != wire::field(identity_.signing.public_key().bytes())) {
    return make_error(Code::kUnauthenticated, "the receipt is of task {} of {} at {}, not of {} of {} at {}",
                      statement.task_id(), statement.function(), statement.instance(), attempt.request.task_id(),
                      attempt.request.function(), attempt.grant.instance());
  }
  attempt.report.receipt = std::move(receipt);
  return {};
}

/// For the next task: under the same lease, if it is a burst that goes on.
void Caller::keep(Attempt& attempt, std::unique_ptr<InstanceConnection> instance, bool ran) {
  auto burst = std::move(attempt.burst);
  if (!burst || !ran || --burst->left == 0) return pool_.give_back(std::move(instance));
  burst->connection = std::move(instance);
  burst->grant = std::move(attempt.grant);
  burst->descriptor = std::move(attempt.descriptor);
  bursts_.give_back(attempt.kind, std::move(burst));
}

wire::SealedHeader Caller::header_of(const Attempt& attempt, const ReadyCapsule* capsule) const {
  wire::SealedHeader header;
  header.set_task_id(attempt.request.task_id());
  header.set_function(attempt.request.function());
  header.set_assurance(attempt.grant.assurance());
  header.set_epoch(capsule != nullptr ? capsule->header.epoch() : attempt.descriptor.epoch());
  header.set_sender(identity_.name);
  header.set_expires_ms(unix_millis() + attempt.deadline.left_millis());
  header.set_content_type(attempt.options.content_type);
  header.set_protection(attempt.request.protection());
  header.set_trace_id(attempt.report.trace_id);
  if (capsule != nullptr) header.set_capsule_id(capsule->header.capsule_id());
  return header;
}

Status Caller::exchange(Attempt& attempt, RequestBody& body, ResultSink& result) {
  TCFDL_TRY(check_size(attempt.descriptor, body.size().value_or(0)));
  const auto start = Deadline::Clock::now();
  wire::OpenSpan span(spans_, attempt.trace, "transfer", wire::SPAN_KIND_CLIENT);
  span.set("instance", attempt.grant.instance());
  const auto traceparent = attempt.traced ? span.context().traceparent() : std::string();
  std::shared_ptr<const ReadyCapsule> capsule;
  if (attempt.options.protection == Protection::kEae) {
    const auto& alone = attempt.descriptor.isolate_instance() ? attempt.grant.instance() : std::string();
    TCFDL_ASSIGN(capsule, capsules_.get(attempt.request.function(), attempt.grant.assurance(),
                                        attempt.descriptor.epoch(), attempt.deadline, alone, traceparent));
    TCFDL_TRY(confirm_owner(attempt, *capsule));
  }
  auto header = header_of(attempt, capsule.get());
  const auto sealing_us = micros_since(start);

  const bool goes_on = attempt.burst && attempt.burst->connection;
  TCFDL_ASSIGN(auto instance, connect(attempt, traceparent));
  attempt.report.route = instance->way;
  span.set("way", instance->way);
  if (attempt.options.receipt) {
    header.set_receipt(true);
    header.set_claimed_route(instance->way);
  }
  ExchangeOutput output;
  Status done;
  {
    const std::stop_callback cancel(attempt.options.cancel, [&] { instance->connection->shutdown(); });
    const ExchangeInput input{identity_,
                              attempt.grant,
                              header,
                              capsule.get(),
                              attempt.report.attempts,
                              attempt.deadline,
                              goes_on,
                              attempt.unsure_at.empty() ? kAnswerWithin : milliseconds(0),
                              traceparent,
                              attempt.tracestate};
    done = exchange_task(*instance, input, body, result, output);
    const bool forgotten = !done && done.error().code() == Code::kFailedPrecondition && output.in_step &&
                           !output.accepted && capsule && instance->capsules.erase(header.capsule_id()) > 0;
    if (forgotten && body.restart()) done = exchange_task(*instance, input, body, result, output = {});
  }
  span.set_outcome(done);
  attempt.report.seal_us += sealing_us;
  return conclude(attempt, output, std::move(instance), capsule.get(), std::move(done));
}

/// Notes what an exchange showed, and keeps what is of use for the next.
Status Caller::conclude(Attempt& attempt, ExchangeOutput& output, std::unique_ptr<InstanceConnection> instance,
                        const ReadyCapsule* capsule, Status done) {
  if (!done && done.error().code() == Code::kFailedPrecondition && output.in_step && !output.accepted &&
      capsule != nullptr) {
    attempt.refused_keys = true;
    capsules_.forget(attempt.request.function(), attempt.grant.assurance(), *capsule);
  }
  // The instance told the time by a clock that was set since the task was sealed: sealed anew it has time left.
  if (!done && done.error().code() == Code::kDeadlineExceeded && output.in_step && !output.accepted &&
      !output.answered && attempt.deadline.left() > kOneWay) {
    done = Error(Code::kUnavailable, done.error().message());
  }
  // Of a burst the task manager does not know what began: what may have begun has.
  attempt.accepted = output.accepted || (attempt.burst && !output.in_step);
  attempt.answered = output.answered;
  if (output.may_begin && !attempt.accepted) attempt.unsure_at = attempt.grant.instance();
  const bool ran = done || output.answered;
  attempt.report.seal_us += output.seal_us;
  attempt.report.run_us = output.run_us;
  attempt.report.open_us = output.open_us;
  if (done && attempt.options.receipt) done = take_receipt(attempt, std::move(output.receipt));
  if (output.in_step) keep(attempt, std::move(instance), ran);
  const auto spent = output.seal_us + output.run_us + output.open_us;
  attempt.report.transfer_us = output.total_us > spent ? output.total_us - spent : 0;
  return done;
}

} // namespace tcfdl::sdk
