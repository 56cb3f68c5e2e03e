#include "sdk/submitter.hpp"

#include "crypto/random.hpp"
#include "sdk/requests.hpp"
#include "wire/task_document.hpp"
#include "wire/tracing.hpp"

namespace tcfdl::sdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Of a request that does not wait for a task.
constexpr seconds kAskTime{30};
constexpr seconds kBodyTime{300};
constexpr std::uint64_t kLargestStored = std::uint64_t{4} << 30U;

TaskState state_of(wire::TaskState state) {
  switch (state) {
  case wire::TASK_STATE_RUNNING: return TaskState::kRunning;
  case wire::TASK_STATE_SUCCEEDED: return TaskState::kSucceeded;
  case wire::TASK_STATE_FAILED: return TaskState::kFailed;
  case wire::TASK_STATE_CANCELLED: return TaskState::kCancelled;
  case wire::TASK_STATE_EXPIRED: return TaskState::kExpired;
  default: return TaskState::kWaiting;
  }
}

Priority priority_of(wire::Priority priority) {
  if (priority == wire::PRIORITY_LOW) return Priority::kLow;
  return priority == wire::PRIORITY_HIGH ? Priority::kHigh : Priority::kNormal;
}

TaskInfo info_of(const wire::StoredTask& task) {
  TaskInfo info;
  info.task_id = task.task_id();
  info.function = task.function();
  info.state = state_of(task.state());
  info.submitted_ms = task.submitted_ms();
  info.started_ms = task.started_ms();
  info.finished_ms = task.finished_ms();
  info.expires_ms = task.expires_ms();
  info.instance = task.instance();
  info.node = task.node();
  info.run_us = task.run_us();
  info.priority = priority_of(task.priority());
  if (info.ended() && info.state != TaskState::kSucceeded) {
    info.error.emplace(code_from_number(task.code()), task.message());
  }
  return info;
}

Status check_options(const SubmitOptions& options) {
  if (!options.task_id.empty() && !is_uuid(options.task_id)) {
    return make_error(Code::kInvalidArgument, "the task id '{}' is no UUID in lower case", options.task_id);
  }
  if (options.protection == Protection::kHse) {
    return Error(Code::kInvalidArgument,
                 "a task under hse cannot be stored, since its data is sealed for the next hop alone; use eae");
  }
  if (options.timeout > milliseconds(0) && options.timeout <= kLongestTask) return {};
  return make_error(Code::kInvalidArgument, "a submitted task may take up to {} s, not {} ms",
                    seconds(kLongestTask).count(), options.timeout.count());
}

Status check_access(const ResultAccess& access) {
  if (access.key.empty() || access.key.size() == crypto::kAeadKeySize) return {};
  return make_error(Code::kInvalidArgument, "the key of a result has {} bytes, this one {}", crypto::kAeadKeySize,
                    access.key.size());
}

/// What was opened, with what the cluster says of the task.
Result<TaskOutcome> with_info(TaskOutcome outcome, const wire::StoredTask& task) {
  auto own = std::move(outcome.info.error);
  outcome.info = info_of(task);
  if (own) outcome.info.error = std::move(own);
  if (outcome.info.state != TaskState::kSucceeded || !task.result_header().empty()) return outcome;
  return make_error(Code::kDataLoss, "task {} succeeded and its result is missing", task.task_id());
}

/// The segments of a stored result, as a connection would bring them.
class StoredSegments final : public wire::Connection {
public:
  StoredSegments(BytesView segments, bool sealed)
      : left_(segments), size_(sealed ? crypto::kSealedSegmentSize : crypto::kSegmentSize) {}
  Status send(wire::FrameKind, BytesView, Deadline) override {
    return Error(Code::kUnimplemented, "a stored result is read only");
  }
  Result<wire::FrameKind> receive(Bytes& payload, Deadline) override {
    const auto piece = left_.first(std::min(size_, left_.size()));
    payload.assign(piece.begin(), piece.end());
    left_ = left_.subspan(piece.size());
    return left_.empty() ? wire::FrameKind::kLastSegment : wire::FrameKind::kSegment;
  }
  void shutdown() noexcept override {}

private:
  BytesView left_;
  const std::size_t size_;
};

} // namespace

/// What the body is to be sealed for: the owner's function, in a class that the caller admits, at the master that will
/// present it.
Result<Submitter::Offered> Submitter::ask_offer(const std::string& function, const SubmitOptions& options,
                                                Deadline deadline) {
  TCFDL_ASSIGN(auto answer, task_manager_.describe(function, deadline));
  TCFDL_ASSIGN(const auto master, wire::verify_certificate(identity_.authority, answer.master_certificate(),
                                                           {wire::ROLE_MASTER}, clock_.now()));
  wire::LeaseGrant offer;
  offer.set_cluster(master.cluster());
  offer.set_assurance(answer.assurance());
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(answer.descriptor()));
  TCFDL_TRY(check_offer(descriptor, offer, function, options.assurance));
  TCFDL_TRY(names_.check(descriptor, answer.descriptor()));
  TCFDL_TRY(check_protection(descriptor, options.protection));
  if (descriptor.isolate_instance()) {
    return make_error(Code::kFailedPrecondition,
                      "{} keeps its instances apart, so a task must be sealed for one of them; call it directly",
                      function);
  }
  return Offered{std::move(descriptor), answer.descriptor(), master.cluster(), answer.assurance()};
}

/// One that outlives the task.
Result<std::shared_ptr<const ReadyCapsule>> Submitter::make_capsule(const Offered& offered, Deadline task,
                                                                    Deadline deadline) {
  const auto& function = offered.descriptor.name();
  TCFDL_ASSIGN(auto capsule, capsules_.get_fresh(function, offered.assurance, offered.descriptor.epoch(), deadline));
  TCFDL_TRY(names_.accept(capsule->scope, offered.descriptor, offered.statement));
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(capsule->capsule.proxy_certificate().statement()));
  const auto good_until = std::min(capsule->header.expires(), turner.expires());
  if (unix_millis() + task.left_millis() <= good_until * 1000) return capsule;
  return make_error(Code::kFailedPrecondition, "what is sealed for {} now ends in {} s; use a shorter timeout",
                    function, good_until - clock_.now());
}

Result<Submitted> Submitter::submit(const std::string& function, BytesView body, const SubmitOptions& options,
                                    const std::string& client) {
  TCFDL_ASSIGN(const auto name, parse_function_name(function));
  TCFDL_TRY(check_options(options));
  const auto task_deadline = Deadline::after(options.timeout);
  const auto deadline = Deadline::after(kBodyTime);
  TCFDL_ASSIGN(const auto offered, ask_offer(name.str(), options, deadline));
  TCFDL_TRY(check_size(offered.descriptor, body.size()));

  wire::SubmitTask task;
  wire::SealedHeader header;
  header.set_task_id(options.task_id.empty() ? make_uuid() : options.task_id);
  header.set_function(name.str());
  header.set_assurance(offered.assurance);
  header.set_epoch(offered.descriptor.epoch());
  header.set_sender(identity_.name);
  header.set_expires_ms(unix_millis() + task_deadline.left_millis());
  header.set_content_type(options.content_type);
  header.set_protection(std::string(protection_name(options.protection)));
  header.set_courier(offered.cluster);
  const auto given = TraceContext::parse(options.traceparent);
  const auto trace = given ? *given : wire::begin_trace(header.task_id(), nullptr);
  header.set_trace_id(trace.trace_text());
  auto& sealed = *task.mutable_task();
  sealed.set_traceparent(trace.traceparent());
  if (given && is_tracestate(options.tracestate)) sealed.set_tracestate(options.tracestate);
  std::optional<crypto::StreamKeys> keys;
  std::shared_ptr<const wire::SenderKey> key;
  crypto::SecretBytes result_key;
  if (options.protection == Protection::kEae) {
    TCFDL_ASSIGN(const auto capsule, make_capsule(offered, task_deadline, deadline));
    header.set_epoch(capsule->header.epoch());
    header.set_capsule_id(capsule->header.capsule_id());
    TCFDL_ASSIGN(key, capsules_.key(name.str(), offered.assurance, header.epoch(), deadline));
    const auto salt = crypto::random_array<crypto::kSaltSize>();
    sealed.set_salt(wire::field(salt));
    *sealed.mutable_capsule() = capsule->capsule;
    sealed.set_own_ek2(capsule->own_ek2);
    sealed.set_header(header.SerializeAsString());
    keys = crypto::derive_stream_keys(capsule->secret.key.span(), salt, wire::kRequestDirection,
                                      as_bytes(sealed.header()));
    result_key = crypto::SecretBytes::copy_of(std::as_const(capsule->secret).key.span());
  } else {
    sealed.set_header(header.SerializeAsString());
  }
  task.set_body_size(keys ? crypto::sealed_size(body.size()) : body.size());
  task.set_body_tag(body_tag(key.get(), header.task_id(), header.function(), body));
  task.set_priority(wire_priority(options.priority));
  task.set_on_behalf_of(client);
  task.set_callback(options.callback);
  TCFDL_ASSIGN(const auto stored, task_manager_.submit(task, std::move(keys), body, deadline));
  if (stored.known) result_key = {};
  return Submitted{stored.task.task_id(), std::move(result_key)};
}

Result<TaskOutcome> Submitter::wait(const std::string& id, milliseconds timeout, const ResultAccess& access,
                                    const std::string& client) {
  TCFDL_TRY(check_access(access));
  wire::TaskQuery query;
  query.set_task_id(id);
  query.set_on_behalf_of(client);
  query.set_with_result(true);
  timeout = std::clamp<milliseconds>(timeout, milliseconds(0), std::chrono::hours(24));
  query.set_wait_ms(static_cast<std::uint32_t>(timeout.count()));
  const auto deadline = Deadline::after(timeout + kBodyTime);
  TaskOutcome outcome;
  const auto read = [&](const wire::StoredTask& task, wire::Connection& connection) {
    return take_outcome(task, connection, access, deadline, outcome);
  };
  TCFDL_ASSIGN(const auto task, task_manager_.query(query, deadline, read));
  if (task.task_id() != id) return Error(Code::kInternal, "the task manager answered with another task");
  return with_info(std::move(outcome), task);
}

Result<TaskOutcome> Submitter::open(BytesView document, const ResultAccess& access) {
  TCFDL_TRY(check_access(access));
  TCFDL_ASSIGN(const auto parsed, wire::parse_task_document(document));
  const auto& [task, segments] = parsed;
  TaskOutcome outcome;
  if (!task.result_header().empty()) {
    StoredSegments connection(segments, task.has_own_capsule());
    TCFDL_TRY(take_outcome(task, connection, access, Deadline::after(kAskTime), outcome));
  }
  return with_info(std::move(outcome), task);
}

/// The result, or the handler's error.
Status Submitter::take_outcome(const wire::StoredTask& task, wire::Connection& connection, const ResultAccess& access,
                               Deadline deadline, TaskOutcome& outcome) {
  if (access.protection != Protection::kNone && !task.has_own_capsule()) {
    return make_error(Code::kUnauthenticated, "the result of task {} is not sealed; was it submitted with none?",
                      task.task_id());
  }
  return read_result(task, connection, access.key, deadline, outcome);
}

/// The keys of a stored result: its capsule is the caller's own, which the caller alone opens.
Result<std::optional<crypto::StreamKeys>> Submitter::result_keys(const wire::StoredTask& task, BytesView key,
                                                                 Deadline deadline) {
  TCFDL_ASSIGN(const auto result, wire::parse<wire::ResultHeader>(task.result_header()));
  if (result.task_id() != task.task_id()) {
    return make_error(Code::kUnauthenticated, "the result is of task {}, not of {}", result.task_id(), task.task_id());
  }
  if (!task.has_own_capsule()) {
    if (result.capsule_id().empty()) return std::optional<crypto::StreamKeys>();
    return Error(Code::kUnauthenticated, "the result is sealed and its capsule is missing");
  }
  TCFDL_ASSIGN(const auto header, wire::capsule_header_unverified(task.own_capsule()));
  if (header.capsule_id() != result.capsule_id() || header.function() != task.function() ||
      task.result_salt().size() != crypto::kSaltSize) {
    return Error(Code::kUnauthenticated, "the result is of another capsule than the task");
  }
  TCFDL_ASSIGN(const auto opened, capsule_key(task, header, key, deadline));
  return std::optional(crypto::derive_stream_keys(opened.span(),
                                                  as_bytes(task.result_salt()).first<crypto::kSaltSize>(),
                                                  wire::kResultDirection, as_bytes(task.result_header())));
}

/// The one that is given, or what the submitter's own capsule holds.
Result<Submitter::CapsuleKey> Submitter::capsule_key(const wire::StoredTask& task, const wire::CapsuleHeader& header,
                                                     BytesView key, Deadline deadline) {
  if (!key.empty()) return CapsuleKey::copy_of(key.first<crypto::kAeadKeySize>());
  if (!std::ranges::equal(as_bytes(header.sender_key()), identity_.signing.public_key().bytes())) {
    return make_error(Code::kFailedPrecondition,
                      "the result of task {} is sealed for an earlier process of the submitter; it opens with the key "
                      "that came with the submission",
                      task.task_id());
  }
  TCFDL_ASSIGN(const auto x, capsules_.key(header.function(), header.assurance(), header.epoch(), deadline));
  TCFDL_ASSIGN(auto secret, wire::open_own_capsule(*x, identity_.signing.public_key(), task.own_capsule()));
  return std::move(secret.key);
}

Status Submitter::read_result(const wire::StoredTask& task, wire::Connection& connection, BytesView key,
                              Deadline deadline, TaskOutcome& outcome) {
  TCFDL_ASSIGN(auto keys, result_keys(task, key, deadline));
  TCFDL_ASSIGN(const auto header, wire::parse<wire::ResultHeader>(task.result_header()));
  wire::SegmentReader reader(connection, std::move(keys), deadline, kLargestStored);
  TCFDL_ASSIGN(auto body, reader.read_all());
  if ((header.code() == 0) != (task.state() == wire::TASK_STATE_SUCCEEDED)) {
    return Error(Code::kUnauthenticated, "the state of the task is not that of its result");
  }
  if (header.code() == 0) {
    outcome.result = std::move(body);
  } else {
    outcome.info.error.emplace(code_from_number(header.code()), std::string(as_text(body)));
  }
  return {};
}

Result<TaskInfo> Submitter::cancel(const std::string& id, const std::string& client) {
  wire::TaskCancel cancel;
  cancel.set_task_id(id);
  cancel.set_on_behalf_of(client);
  TCFDL_ASSIGN(const auto task, task_manager_.cancel(cancel, Deadline::after(kAskTime)));
  return info_of(task);
}

Result<std::vector<TaskInfo>> Submitter::list(const std::string& client) {
  wire::TaskListing listing;
  listing.set_on_behalf_of(client);
  TCFDL_ASSIGN(const auto tasks, task_manager_.list(listing, Deadline::after(kAskTime)));
  std::vector<TaskInfo> infos;
  infos.reserve(static_cast<std::size_t>(tasks.tasks_size()));
  for (const auto& task : tasks.tasks()) infos.push_back(info_of(task));
  return infos;
}

} // namespace tcfdl::sdk
