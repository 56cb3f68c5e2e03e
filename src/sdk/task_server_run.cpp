// How an instance runs an admitted task and tells its outcome.
#include "base/log.hpp"
#include "sdk/result_writer.hpp"
#include "sdk/task_server_session.hpp"

namespace tcfdl::sdk {
namespace {

/// What a handler sees of its task.
class HandlerContext final : public TaskContext {
public:
  HandlerContext(const wire::SealedHeader& header, const std::optional<TriggeringMessage>& message,
                 const TraceContext& trace, const std::string& tracestate, Deadline deadline, std::stop_token stop,
                 Client& outgoing)
      : header_(header), message_(message), trace_(trace), tracestate_(tracestate), deadline_(deadline),
        stop_(std::move(stop)), outgoing_(outgoing) {}
  [[nodiscard]] const std::string& task_id() const override { return header_.task_id(); }
  [[nodiscard]] const std::string& function() const override { return header_.function(); }
  [[nodiscard]] const std::string& caller() const override { return header_.sender(); }
  [[nodiscard]] const std::string& content_type() const override { return header_.content_type(); }
  [[nodiscard]] std::string traceparent() const override { return trace_.traceparent(); }
  [[nodiscard]] const std::string& tracestate() const override { return tracestate_; }
  [[nodiscard]] const TriggeringMessage* message() const override { return message_ ? &*message_ : nullptr; }
  [[nodiscard]] std::chrono::milliseconds time_left() const override {
    return std::chrono::milliseconds(deadline_.left_millis());
  }
  [[nodiscard]] std::stop_token cancelled() const override { return stop_; }
  Result<CallResult> call(const std::string& function, BytesView body, CallOptions options) override {
    options.timeout = std::min(options.timeout, time_left());
    if (!options.cancel.stop_possible()) options.cancel = stop_;
    if (options.traceparent.empty()) {
      options.traceparent = traceparent();
      options.tracestate = tracestate_;
    }
    return outgoing_.call(function, body, options);
  }

private:
  const wire::SealedHeader& header_;
  const std::optional<TriggeringMessage>& message_;
  const TraceContext trace_;
  const std::string& tracestate_;
  Deadline deadline_;
  std::stop_token stop_;
  Client& outgoing_;
};

/// A body that is there as a whole.
class WholeReader final : public BodyReader {
public:
  explicit WholeReader(BytesView body) : rest_(body) {}
  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    const auto size = std::min(out.size(), rest_.size());
    std::copy_n(rest_.begin(), size, out.begin());
    rest_ = rest_.subspan(size);
    return size;
  }

private:
  BytesView rest_;
};

/// For what nobody gets.
class NoResult final : public BodyWriter {
public:
  Status write(BytesView) override { return {}; }
};

/// As it handles messages, which come as a whole and have no result.
Handler whole(const StreamHandler& handler) {
  return [&handler](TaskContext& context, BytesView body) -> Result<Bytes> {
    WholeReader reader(body);
    NoResult writer;
    TCFDL_TRY(handler(context, reader, writer));
    return Bytes();
  };
}

/// Runs a handler; an exception of it is its error.
template <class Run> auto guarded(Run&& run) -> decltype(run()) {
  try {
    return run();
  } catch (const std::exception& thrown) {
    return make_error(Code::kInternal, "the handler threw: {}", thrown.what());
  } catch (...) {
    return Error(Code::kInternal, "the handler threw something that is no std::exception");
  }
}

/// Whether there is an earlier success, which was not asked for with a receipt.
bool lacks_receipt(const std::optional<std::shared_ptr<const Outcome>>& earlier) {
  return earlier && (*earlier)->code == 0 && (*earlier)->receipt.empty();
}

/// In microseconds. 0 would say that it did not run.
std::uint64_t run_time(Deadline::Clock::time_point start) { return std::max<std::uint64_t>(1, micros_since(start)); }

/// The handler's own error, unless it ended because it was told to.
Error final_error(Error error, const std::stop_token& stop, Deadline deadline) {
  if (!stop.stop_requested()) return error;
  return deadline.expired() ? Deadline::exceeded("the handler")
                            : Error(Code::kCancelled, "the caller cancelled the task");
}

/// Who gave up before its task began has gone elsewhere with it.
Status check_caller(const wire::Connection& connection, const wire::Lease& lease) {
  if (lease.presented() || !wire::has_hung_up(connection.descriptor())) return {};
  return Error(Code::kUnavailable, "the caller went away before its task began");
}

} // namespace

Status TaskServer::run(Session& session, Task& task) {
  HandlerContext context(task.header, task.message, task.trace(), task.tracestate, task.deadline, task.stop.get_token(),
                         outgoing_);
  if (const auto* handler = std::get_if<Handler>(&work_)) return run_whole(session, task, *handler, context);
  const auto& handler = std::get<StreamHandler>(work_);
  if (task.message) return run_whole(session, task, whole(handler), context);
  return run_stream(session, task, handler, context);
}

Status TaskServer::run_whole(Session& session, Task& task, const Handler& handler, TaskContext& context) {
  wire::SegmentReader reader(session.connection, task.request_keys(), task.deadline, settings_.max_body);
  auto body = reader.read_body();
  task.traffic.set_body(reader.total());
  if (!body) {
    // What is left of a body that is too long is dropped, so that its sender gets to the refusal.
    const bool too_long = body.error().code() == Code::kResourceExhausted;
    const auto drained = too_long ? reader.drain() : Status(body.error());
    wire::TaskReply reply;
    *reply.mutable_refused() = wire::to_info(body.error());
    const auto sent = wire::send_message(session.connection, reply, task.deadline);
    return drained ? sent : drained;
  }
  TCFDL_TRY(check_caller(session.connection, task.lease));
  auto begun = outcomes_.begin(task.sender(), task.header.task_id(), fingerprints_.of(body->view()), task.deadline);
  if (begun && task.receipt && lacks_receipt(*begun)) {
    begun = make_error(Code::kAlreadyExists, "task {} ran without a receipt; use a new task id", task.header.task_id());
  }
  if (!begun) {
    wire::TaskReply reply;
    *reply.mutable_refused() = wire::to_info(begun.error());
    return wire::send_message(session.connection, reply, task.deadline);
  }
  wire::TaskReply accepted;
  accepted.mutable_accepted();
  // What may have begun of a burst counts as begun to its caller, who needs not be woken twice.
  const auto told = task.burst != nullptr ? wire::send_head(session.connection, accepted, task.deadline)
                                          : wire::send_message(session.connection, accepted, task.deadline);
  if (const auto& earlier = *begun) {
    TCFDL_TRY(told);
    return send_outcome(session, task, **earlier);
  }
  const auto start = Deadline::Clock::now();
  auto result = guarded([&] { return handler(context, body->view()); });
  task.run_us = run_time(start);
  if (result && task.deadline.expired()) result = Deadline::exceeded("the handler");
  const auto kept = std::make_shared<const Outcome>(outcome_of(session, task, body->view(), std::move(result)));
  outcomes_.finish(task.sender(), task.header.task_id(), kept);
  task.code = kept->code;
  task.traffic.set_result(kept->body.size());
  end_work(task);
  return send_outcome(session, task, *kept);
}

/// What became of a task, with a receipt where a success is to have one.
Outcome TaskServer::outcome_of(const Session& session, Task& task, BytesView body, Result<Bytes> result) const {
  Outcome outcome;
  if (result && task.receipt) {
    task.receipt->add_input(body);
    task.receipt->add_output(*result);
    auto receipt = receipts_.issue(*task.receipt, {task.header, task.lease, session.route});
    if (!receipt) result = receipt.error();
    if (receipt) outcome.receipt = *std::move(receipt);
  }
  if (result) {
    if (!task.message) outcome.body = *std::move(result);
    return outcome;
  }
  const auto error = final_error(result.error(), task.stop.get_token(), task.deadline);
  if (task.message)
    spdlog::warn("message {} of {}: {}", task.message->sequence, task.message->topic, error.to_string());
  return {.code = static_cast<std::uint32_t>(error.code()), .body = task.message ? Bytes() : to_bytes(error.message())};
}

Status TaskServer::run_stream(Session& session, Task& task, const StreamHandler& handler, TaskContext& context) {
  wire::SegmentReader reader(session.connection, task.request_keys(), task.deadline, settings_.max_body);
  const crypto::Fingerprint streamed{};
  TCFDL_TRY(check_caller(session.connection, task.lease));
  auto begun = outcomes_.begin(task.sender(), task.header.task_id(), streamed, task.deadline);
  if (!begun) {
    TCFDL_TRY(reader.drain());
    wire::TaskReply reply;
    *reply.mutable_refused() = wire::to_info(begun.error());
    return wire::send_message(session.connection, reply, task.deadline);
  }
  wire::TaskReply accepted;
  accepted.mutable_accepted();
  (void)wire::send_message(session.connection, accepted, task.deadline);
  const auto start = Deadline::Clock::now();
  ResultWriter writer(session.connection, task.header, task.attempt, settings_.instance, task.secret.get(),
                      task.deadline);
  if (task.receipt) writer.announce_receipt();
  if (task.lease.presented()) writer.keep_segments_full();
  NotingReader input(reader, task.receipt);
  NotingWriter output(writer, task.receipt);
  auto done = guarded([&] { return handler(context, input, output); });
  if (done) done = input.note_rest();
  task.run_us = run_time(start);
  if (done && task.deadline.expired()) done = Deadline::exceeded("the handler");
  outcomes_.finish(task.sender(), task.header.task_id(), nullptr);
  Status sent;
  if (done) {
    sent = writer.finish(task.run_us);
    if (sent && task.receipt) {
      const auto receipt = receipts_.issue(*task.receipt, {task.header, task.lease, session.route});
      sent = receipt ? writer.send_receipt(*receipt) : Status(receipt.error());
    }
  } else {
    const auto error = final_error(done.error(), task.stop.get_token(), task.deadline);
    task.code = static_cast<std::uint32_t>(error.code());
    sent = writer.fail(error, task.run_us);
  }
  task.traffic.set_body(reader.total());
  task.traffic.set_result(writer.written());
  end_work(task);
  if (sent) sent = reader.drain();
  return sent;
}

Status TaskServer::send_outcome(Session& session, const Task& task, const Outcome& outcome) const {
  // What became of a message is a code alone, for the master.
  const auto* secret = task.message ? nullptr : task.secret.get();
  ResultWriter writer(session.connection, task.header, task.attempt, settings_.instance, secret, task.deadline);
  if (outcome.code != 0) {
    return writer.fail(Error(code_from_number(outcome.code), std::string(as_text(outcome.body))), task.run_us);
  }
  if (task.receipt) writer.announce_receipt();
  TCFDL_TRY(writer.begin(0, task.run_us));
  TCFDL_TRY(writer.write(outcome.body));
  TCFDL_TRY(writer.finish(task.run_us));
  return task.receipt ? writer.send_receipt(outcome.receipt) : Status();
}

} // namespace tcfdl::sdk
