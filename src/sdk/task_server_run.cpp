// How an instance runs an admitted task and tells its outcome.
#include "base/log.hpp"
#include "sdk/result_writer.hpp"
#include "sdk/task_server_session.hpp"

namespace tcfdl::sdk {
namespace {

/// What a handler sees of its task.
class HandlerContext final : public TaskContext {
public:
  HandlerContext(const wire::SealedHeader& header, Deadline deadline, std::stop_token stop, Client& outgoing)
      : header_(header), deadline_(deadline), stop_(std::move(stop)), outgoing_(outgoing) {}
  [[nodiscard]] const std::string& task_id() const override { return header_.task_id(); }
  [[nodiscard]] const std::string& function() const override { return header_.function(); }
  [[nodiscard]] const std::string& caller() const override { return header_.sender(); }
  [[nodiscard]] const std::string& content_type() const override { return header_.content_type(); }
  [[nodiscard]] std::chrono::milliseconds time_left() const override {
    return std::chrono::milliseconds(deadline_.left_millis());
  }
  [[nodiscard]] std::stop_token cancelled() const override { return stop_; }
  Result<CallResult> call(const std::string& function, BytesView body, CallOptions options) override {
    options.timeout = std::min(options.timeout, time_left());
    if (!options.cancel.stop_possible()) options.cancel = stop_;
    return outgoing_.call(function, body, options);
  }

private:
  const wire::SealedHeader& header_;
  Deadline deadline_;
  std::stop_token stop_;
  Client& outgoing_;
};

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
  HandlerContext context(task.header, task.deadline, task.stop.get_token(), outgoing_);
  if (const auto* handler = std::get_if<Handler>(&work_)) return run_whole(session, task, *handler, context);
  return run_stream(session, task, std::get<StreamHandler>(work_), context);
}

Status TaskServer::run_whole(Session& session, Task& task, const Handler& handler, TaskContext& context) {
  wire::SegmentReader reader(session.connection, task.request_keys(), task.deadline, settings_.max_body);
  auto body = reader.read_all();
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
  auto begun = outcomes_.begin(task.sender(), task.header.task_id(), fingerprints_.of(*body), task.deadline);
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
  const auto told = wire::send_message(session.connection, accepted, task.deadline);
  if (const auto& earlier = *begun) {
    TCFDL_TRY(told);
    return send_outcome(session, task, **earlier);
  }
  const auto start = Deadline::Clock::now();
  auto result = guarded([&] { return handler(context, *body); });
  task.run_us = micros_since(start);
  if (result && task.deadline.expired()) result = Deadline::exceeded("the handler");
  const auto kept = std::make_shared<const Outcome>(outcome_of(session, task, *body, std::move(result)));
  outcomes_.finish(task.sender(), task.header.task_id(), kept);
  task.code = kept->code;
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
    outcome.body = *std::move(result);
    return outcome;
  }
  const auto error = final_error(result.error(), task.stop.get_token(), task.deadline);
  return {.code = static_cast<std::uint32_t>(error.code()), .body = to_bytes(error.message())};
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
  NotingReader input(reader, task.receipt);
  NotingWriter output(writer, task.receipt);
  auto done = guarded([&] { return handler(context, input, output); });
  if (done) done = input.note_rest();
  task.run_us = micros_since(start);
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
  end_work(task);
  if (sent) sent = reader.drain();
  return sent;
}

Status TaskServer::send_outcome(Session& session, const Task& task, const Outcome& outcome) const {
  ResultWriter writer(session.connection, task.header, task.attempt, settings_.instance, task.secret.get(),
                      task.deadline);
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
