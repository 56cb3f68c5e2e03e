#include "node/async_tasks.hpp"

#include "base/file.hpp"
#include "crypto/sealing.hpp"
#include "wire/capsule.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

constexpr std::size_t kTagSize = 32;
constexpr std::uint64_t kLargestBody = std::uint64_t{4} << 30U;

bool answer_with(wire::Connection& connection, const wire::TaskManagerReply& reply) {
  return bool(wire::send_message(connection, reply, Deadline::after(seconds(10))));
}

bool refuse(wire::Connection& connection, const Error& error) {
  wire::TaskManagerReply reply;
  *reply.mutable_error() = wire::to_info(error);
  return answer_with(connection, reply);
}

/// The body, segment by segment, into `stored`. What cannot be stored is read to its end nevertheless, so that the
/// sender gets to the error; one that goes beyond what it announced is not. Returns whether the connection is still of
/// use.
bool receive_body(wire::Connection& connection, courier::TaskStore::Upload& upload, Status& stored) {
  Bytes segment;
  const auto deadline = Deadline::after(seconds(300));
  for (;;) {
    const auto kind = connection.receive(segment, deadline);
    if (!kind || *kind == wire::FrameKind::kMessage) {
      stored = kind ? Error(Code::kInvalidArgument, "a message within a body") : kind.error();
      return false;
    }
    if (stored) stored = upload.write(segment);
    if (!stored && stored.error().code() == Code::kInvalidArgument) return false;
    if (*kind == wire::FrameKind::kLastSegment) return true;
  }
}

/// What the instance would refuse after all the waiting.
Status check_capsule(const wire::Capsule& capsule, const wire::SealedHeader& header, const courier::Owner& owner) {
  TCFDL_ASSIGN(const auto made, wire::capsule_header_unverified(capsule));
  if (made.capsule_id() == header.capsule_id() && made.sender_key() == owner.key && made.sender() == header.sender() &&
      made.function() == header.function() && made.expires() * 1000 >= header.expires_ms()) {
    return {};
  }
  return Error(Code::kInvalidArgument, "the capsule is of another task, or ends before the task's deadline");
}

Status send_stored_result(wire::Connection& connection, int fd, std::size_t segment) {
  const auto deadline = Deadline::after(seconds(300));
  // One piece is read ahead: the last segment says that it is the last.
  Bytes piece(segment);
  Bytes next(segment);
  const auto read_one = [fd, segment](Bytes& into) -> Status {
    into.resize(segment);
    std::size_t size = 0;
    while (size < segment) {
      const auto got = ::read(fd, into.data() + size, segment - size);
      if (got < 0) return errno_error("cannot read", "a stored result");
      if (got == 0) break;
      size += static_cast<std::size_t>(got);
    }
    into.resize(size);
    return {};
  };
  TCFDL_TRY(read_one(piece));
  for (;;) {
    TCFDL_TRY(read_one(next));
    const auto kind = next.empty() ? wire::FrameKind::kLastSegment : wire::FrameKind::kSegment;
    TCFDL_TRY(connection.send(kind, piece, deadline));
    if (next.empty()) return {};
    piece.swap(next);
  }
}

} // namespace

/// The task manager's leases for the courier.
class AsyncTasks::TaskLeases final : public courier::Leases {
public:
  explicit TaskLeases(task_manager::TaskManager& tasks) : tasks_(tasks) {}
  Result<wire::LeaseGrant> acquire(const wire::LeaseRequest& request, const std::stop_token& stop) override {
    return tasks_.acquire(request, stop);
  }
  void release(const std::string& lease_id) override { tasks_.release(lease_id); }
  bool resume(const wire::LeaseRequest& request, const std::string& instance) override {
    return tasks_.resume(request, InstanceId(instance));
  }
  bool is_idempotent(const std::string& function) override {
    const auto policy = tasks_.policy(FunctionName(function));
    return policy && (*policy)->idempotent;
  }

private:
  task_manager::TaskManager& tasks_;
};

/// Instances of this cluster, to whom the master proves its own key.
class AsyncTasks::TaskInstances final : public courier::Instances {
public:
  TaskInstances(const AsyncTasksParts& parts, std::string cluster) : parts_(parts), cluster_(std::move(cluster)) {}
  Result<std::unique_ptr<wire::Connection>> open(const std::string& node, const std::string& instance) override {
    wire::OpenRelay relay;
    relay.set_cluster(cluster_);
    relay.set_node(node);
    relay.set_instance(instance);
    return parts_.host.open(relay);
  }
  std::string possession(const wire::Hello& hello) override {
    return wire::field(
        wire::sign_labelled(parts_.signing, "Possession", {as_bytes(hello.nonce()), as_bytes(hello.name())}));
  }
  wire::Signed certificate() override { return parts_.certificate.get(); }

private:
  const AsyncTasksParts& parts_;
  const std::string cluster_;
};

Result<std::unique_ptr<AsyncTasks>> AsyncTasks::open(database::Database& database, courier::StoreSettings settings,
                                                     const CallbackConfig& callbacks, std::string cluster,
                                                     const AsyncTasksParts& parts) {
  TCFDL_ASSIGN(auto receivers, CallbackReceivers::make(callbacks));
  TCFDL_ASSIGN(auto store, courier::TaskStore::open(database, std::move(settings), unix_millis));
  return std::unique_ptr<AsyncTasks>(new AsyncTasks(std::move(store), std::move(receivers), std::move(cluster), parts));
}

AsyncTasks::AsyncTasks(std::unique_ptr<courier::TaskStore> store, std::unique_ptr<CallbackReceivers> receivers,
                       std::string cluster, const AsyncTasksParts& parts)
    : store_(std::move(store)), receivers_(std::move(receivers)), cluster_(std::move(cluster)), parts_(parts),
      leases_(std::make_unique<TaskLeases>(parts.tasks)), instances_(std::make_unique<TaskInstances>(parts_, cluster_)),
      courier_({}, *store_, *leases_, *instances_, unix_millis), callbacks_({}, *store_, *receivers_) {}

Status AsyncTasks::start() {
  TCFDL_TRY(courier_.start());
  if (!receivers_->none()) callbacks_.start();
  return {};
}

Result<wire::FunctionOffer> AsyncTasks::describe(const std::string& function) {
  TCFDL_ASSIGN(const auto name, parse_function_name(function));
  TCFDL_ASSIGN(const auto policy, parts_.tasks.policy(name));
  wire::FunctionOffer offer;
  *offer.mutable_descriptor() = policy->descriptor;
  offer.set_assurance(policy->assurance);
  *offer.mutable_master_certificate() = parts_.certificate.get();
  return offer;
}

bool AsyncTasks::submit(wire::Connection& connection, const courier::Owner& owner, const wire::Certificate& caller,
                        const wire::SubmitTask& task) {
  const auto taken = take_in(connection, owner, caller, task);
  if (!taken) return refuse(connection, taken.error());
  const auto& stored = *taken;
  if (!stored) return false;
  wire::TaskManagerReply reply;
  *reply.mutable_task() = *stored;
  return answer_with(connection, reply);
}

/// The stored task; nothing when the connection is of no more use.
Result<std::optional<wire::StoredTask>> AsyncTasks::take_in(wire::Connection& connection, const courier::Owner& owner,
                                                            const wire::Certificate& caller,
                                                            const wire::SubmitTask& task) {
  TCFDL_ASSIGN(const auto header, check(owner, caller, task));
  TCFDL_ASSIGN(auto begun, store_->begin(owner, task, header));
  if (const auto* known = std::get_if<wire::StoredTask>(&begun)) return std::optional(*known);
  auto& upload = std::get<courier::TaskStore::Upload>(begun);
  if (!answer_with(connection, {})) return std::optional<wire::StoredTask>();
  Status received;
  if (!receive_body(connection, upload, received)) {
    (void)refuse(connection, received.error()); // the peer may be gone
    return std::optional<wire::StoredTask>();
  }
  TCFDL_TRY(received);
  TCFDL_ASSIGN(const auto open, upload.commit());
  courier_.enqueue(open);
  TCFDL_ASSIGN(auto stored, store_->get(open.ref));
  return std::optional(std::move(stored));
}

Status AsyncTasks::submit_own(const courier::Owner& owner, const wire::SubmitTask& task,
                              const wire::SealedHeader& header, BytesView body) {
  TCFDL_TRY(check_function(owner, task, header));
  TCFDL_ASSIGN(auto begun, store_->begin(owner, task, header));
  auto* const upload = std::get_if<courier::TaskStore::Upload>(&begun);
  if (upload == nullptr) return {};
  TCFDL_TRY(upload->write(body));
  TCFDL_ASSIGN(const auto open, upload->commit());
  courier_.enqueue(open);
  return {};
}

Result<wire::SealedHeader> AsyncTasks::check(const courier::Owner& owner, const wire::Certificate& caller,
                                             const wire::SubmitTask& task) {
  TCFDL_ASSIGN(auto header, wire::parse<wire::SealedHeader>(task.task().header()));
  if (!is_uuid(header.task_id())) return Error(Code::kInvalidArgument, "the task's id is no UUID in lower case");
  if (header.courier() != cluster_ || header.sender() != caller.subject()) {
    return make_error(Code::kInvalidArgument, "the task is sealed for the master of '{}', by '{}'", header.courier(),
                      header.sender());
  }
  if (task.body_tag().size() != kTagSize || task.body_size() > kLargestBody) {
    return Error(Code::kInvalidArgument, "the body's tag has not 32 bytes, or the body has more than 4 GiB");
  }
  const auto left = header.expires_ms() - unix_millis();
  if (left <= 0) return Deadline::exceeded("the submission");
  if (left > wire::kCapsuleLifetime * 1000) {
    return make_error(Code::kInvalidArgument, "a task may take {} s at most, its capsule's life",
                      wire::kCapsuleLifetime);
  }
  const bool sealed = header.protection() == "eae";
  if ((!sealed && header.protection() != "none") || sealed != task.task().has_capsule()) {
    return make_error(Code::kInvalidArgument, "tasks are stored under eae or none, not '{}'", header.protection());
  }
  if (!task.callback().empty()) TCFDL_TRY(receivers_->check(task.callback()));
  if (sealed) TCFDL_TRY(check_capsule(task.task().capsule(), header, owner));
  TCFDL_TRY(check_function(owner, task, header));
  return header;
}

Status AsyncTasks::check_function(const courier::Owner& owner, const wire::SubmitTask& task,
                                  const wire::SealedHeader& header) {
  TCFDL_ASSIGN(const auto name, parse_function_name(header.function()));
  TCFDL_ASSIGN(const auto policy, parts_.tasks.policy(name));
  TCFDL_ASSIGN(const auto descriptor, wire::check_descriptor(policy->descriptor));
  if (descriptor.isolate_instance()) {
    return make_error(Code::kFailedPrecondition, "{} keeps its instances apart; call it directly", name.str());
  }
  if (!wire::contains_text(descriptor.protections(), header.protection())) {
    return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'", name.str(), header.protection());
  }
  const auto size = task.task().has_capsule() ? crypto::opened_size(task.body_size()) : task.body_size();
  if (descriptor.max_body() != 0 && size > descriptor.max_body()) {
    return make_error(Code::kInvalidArgument, "the body has {} bytes; {} takes at most {}", size, name.str(),
                      descriptor.max_body());
  }
  wire::LeaseRequest as_it_will_ask;
  as_it_will_ask.set_caller(owner.name);
  as_it_will_ask.set_on_behalf_of(owner.on_behalf_of);
  as_it_will_ask.set_priority(task.priority());
  return parts_.tasks.check_priority(as_it_will_ask);
}

bool AsyncTasks::query(wire::Connection& connection, const courier::Owner& owner, const wire::TaskQuery& query,
                       const std::stop_token& gone) {
  const courier::TaskRef ref{owner.id(), query.task_id()};
  auto task = store_->wait(ref, Deadline::after_millis(query.wait_ms()), gone);
  if (!task) return refuse(connection, task.error());
  Result<UniqueFd> result = UniqueFd();
  const bool with_result = query.with_result() && !task->result_header().empty();
  if (with_result) result = store_->open_result(ref); // it stays readable when the task is pruned meanwhile
  if (!result) return refuse(connection, result.error());
  if (!with_result) task->clear_result_header();
  const auto segment = task->has_own_capsule() ? crypto::kSealedSegmentSize : crypto::kSegmentSize;
  wire::TaskManagerReply reply;
  *reply.mutable_task() = *std::move(task);
  if (!answer_with(connection, reply)) return false;
  return !with_result || send_stored_result(connection, result->get(), segment);
}

} // namespace tcfdl::node
