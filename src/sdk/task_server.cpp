#include "sdk/task_server.hpp"

#include "base/log.hpp"
#include "crypto/random.hpp"
#include "sdk/result_writer.hpp"
#include "wire/proto/hop.pb.h"

#include <algorithm>
#include <chrono>
#include <fmt/ranges.h>

namespace tcfdl::sdk {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t kMostCapsules = 10'000;
constexpr std::size_t kMostOutcomes = 100'000;
constexpr std::int64_t kOutcomeLifetime = 600;

std::int64_t unix_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

} // namespace

/// One caller's connection.
struct TaskServer::Session {
  wire::Connection& connection;
  std::array<std::uint8_t, 32> nonce = crypto::random_array<32>();
  std::string caller_key = {};           ///< proven; empty before
  const wire::HopChannel* hop = nullptr; ///< `connection`, where it is the end of a path of proxies
  const wire::HopRoute* route = nullptr; ///< of that path, as the last proxy vouches for it
};

/// An admitted task.
struct TaskServer::Task {
  wire::Lease lease;
  wire::SealedHeader header;
  std::string header_bytes;
  std::string salt;
  std::shared_ptr<const crypto::CapsuleSecret> secret; ///< nullptr: no protection
  std::uint32_t attempt;
  Deadline deadline;
  std::stop_source stop;
  bool working = true; ///< counts against the concurrency
  std::uint32_t code = 0;
  std::uint64_t run_us = 0;
  std::optional<ReceiptDraft> receipt = {}; ///< where the caller asked for one

  [[nodiscard]] std::optional<crypto::StreamKeys> request_keys() const {
    if (!secret) return std::nullopt;
    const auto bytes = as_bytes(salt).first<crypto::kSaltSize>();
    return crypto::derive_stream_keys(secret->key.span(), bytes, wire::kRequestDirection, as_bytes(header_bytes));
  }
};

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

} // namespace

TaskServer::TaskServer(TaskServerSettings settings, const Identity& identity, ProcessorKey key, Proxy& proxy,
                       TaskEvents& events, Client& outgoing, Work work, const Clock& clock,
                       const wire::Revocations& revocations)
    : settings_(std::move(settings)), identity_(identity), assurance_(key.scope.assurance()), proxy_(proxy),
      events_(events), outgoing_(outgoing), work_(std::move(work)), clock_(clock), revocations_(revocations),
      newest_(key.scope.epoch()), outcomes_(settings_.outcome_budget, kMostOutcomes, kOutcomeLifetime, clock),
      receipts_(identity, settings_.descriptor) {
  keys_.with([&](auto& keys) { keys.emplace(newest_, std::make_shared<const ProcessorKey>(std::move(key))); });
}

void TaskServer::serve(wire::Connection& connection) {
  Session session{connection};
  serve_tasks(session);
}

void TaskServer::serve_tasks(Session& session) {
  auto& connection = session.connection;
  wire::Hello hello;
  hello.set_nonce(wire::field(session.nonce));
  hello.set_name(settings_.instance);
  if (!wire::send_message(connection, hello, Deadline::after(seconds(10)))) return;
  for (;;) {
    const auto request = wire::receive_message<wire::TaskRequest>(connection, Deadline::after(hours(24)));
    if (!request) return;
    if (!request->hop().empty() && session.hop == nullptr) return serve_path(connection, as_bytes(request->hop()));
    if (!handle(session, *request)) return;
  }
}

/// The connection is the last hop of a path that the node's proxy extends to this instance.
void TaskServer::serve_path(wire::Connection& connection, BytesView offer) {
  const auto deadline = Deadline::after(seconds(15));
  const auto certificate = identity_.certificate.get();
  const auto hop = wire::accept_hop(connection, {identity_.signing, certificate, identity_.authority}, offer,
                                    {wire::ROLE_PROXY}, clock_.now(), deadline);
  if (!hop) return spdlog::info("no path: {}", hop.error().to_string());
  if (const auto trusted = revocations_.check((*hop)->peer()); !trusted) {
    return spdlog::warn("no path: {}", trusted.error().to_string());
  }
  const auto route = wire::receive_message<wire::HopRoute>(**hop, deadline);
  if (!route) return;
  const auto path = check_route(*route, (*hop)->peer());
  if (!path) spdlog::info("no path: {}", path.error().to_string());
  if (!wire::answer_route(**hop, path, deadline) || !path) return;
  Session session{.connection = **hop, .hop = hop->get(), .route = &*route};
  serve_tasks(session);
}

/// Every proxy checked the one before it; what is left is that the path is meant for this instance and ends at its own
/// proxy.
Result<std::vector<std::string>> TaskServer::check_route(const wire::HopRoute& route,
                                                         const wire::Certificate& proxy) const {
  TCFDL_ASSIGN(const auto self, wire::parse<wire::Certificate>(identity_.certificate.get().statement()));
  if (route.instance() != settings_.instance || route.function() != settings_.function) {
    return make_error(Code::kPermissionDenied, "the path is for {} of {}, this is {} of {}", route.instance(),
                      route.function(), settings_.instance, settings_.function);
  }
  if (route.assurance() != assurance_ || !wire::assurance_meets(proxy.assurance(), route.assurance())) {
    return make_error(Code::kPermissionDenied, "the path is of class '{}', {} processes '{}'", route.assurance(),
                      settings_.instance, assurance_);
  }
  if (proxy.node() != self.node() || proxy.cluster() != self.cluster() || route.proxies().empty() ||
      *route.proxies().rbegin() != proxy.subject()) {
    return make_error(Code::kPermissionDenied, "{} is not the proxy of {}, which the path must end with",
                      proxy.subject(), self.node());
  }
  return std::vector<std::string>(route.proxies().begin(), route.proxies().end());
}

void TaskServer::drain(Deadline deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  idle_.wait_until(lock, deadline.when(), [this] { return busy_ == 0; });
}

bool TaskServer::enter() {
  const std::scoped_lock lock(mutex_);
  if (draining_ || running_ >= settings_.concurrency) return false;
  ++running_;
  ++busy_;
  return true;
}

void TaskServer::end_work(Task& task) {
  if (!std::exchange(task.working, false)) return;
  {
    const std::scoped_lock lock(mutex_);
    --running_;
  }
  report(task, true);
}

void TaskServer::leave() {
  const std::scoped_lock lock(mutex_);
  if (--busy_ == 0) idle_.notify_all();
}

/// Returns whether the connection can carry another task.
bool TaskServer::handle(Session& session, const wire::TaskRequest& request) {
  auto task = admit(session, request);
  if (task && !enter()) {
    task = make_error(Code::kUnavailable, "{} takes no task now: it is busy or draining", settings_.instance);
  }
  if (!task) {
    const auto deadline = Deadline::after(seconds(30));
    wire::SegmentReader rest(session.connection, std::nullopt, deadline, settings_.max_body);
    if (!rest.drain()) return false;
    wire::TaskReply reply;
    *reply.mutable_refused() = wire::to_info(task.error());
    return bool(wire::send_message(session.connection, reply, deadline));
  }
  if (task->header.receipt()) task->receipt.emplace();
  report(*task, false);
  const auto watch = watcher_.watch(session.connection.descriptor(), task->deadline, task->stop);
  const auto done = run(session, *task);
  if (!done && task->code == 0) task->code = static_cast<std::uint32_t>(done.error().code());
  end_work(*task);
  leave();
  if (!done) spdlog::debug("task {}: {}", task->lease.task_id(), done.error().to_string());
  return bool(done);
}

Result<TaskServer::Task> TaskServer::admit(Session& session, const wire::TaskRequest& request) {
  TCFDL_ASSIGN(auto lease, check_lease(session, request));
  TCFDL_ASSIGN(auto header, wire::parse<wire::SealedHeader>(request.sealed_header()));
  if (header.task_id() != lease.task_id() || header.function() != settings_.function) {
    return make_error(Code::kInvalidArgument, "the body is of task {} of {}, the lease of task {} of {}",
                      header.task_id(), header.function(), lease.task_id(), settings_.function);
  }
  const auto left = header.expires_ms() - unix_millis();
  if (left <= 0) return Deadline::exceeded("the way to the instance");
  const auto millis = std::min<std::uint64_t>(static_cast<std::uint64_t>(left), request.remaining_ms());
  Task task{std::move(lease),
            std::move(header),
            request.sealed_header(),
            request.salt(),
            nullptr,
            request.attempt(),
            Deadline::after_millis(millis),
            {},
            true,
            0,
            0};
  if (std::ranges::find(settings_.protections, task.header.protection()) == settings_.protections.end()) {
    return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'; it admits {}", settings_.function,
                      task.header.protection(), fmt::join(settings_.protections, ", "));
  }
  TCFDL_TRY(check_protection(session, task));
  if (task.header.protection() != "eae") return task;
  if (task.salt.size() != crypto::kSaltSize) return Error(Code::kInvalidArgument, "the salt has not 32 bytes");
  TCFDL_ASSIGN(task.secret, capsule_secret(request, task));
  return task;
}

/// That the task came in the way that its protection says.
Status TaskServer::check_protection(const Session& session, const Task& task) const {
  const auto& protection = task.header.protection();
  if (protection != "eae" && protection != "hse" && protection != "none") {
    return make_error(Code::kInvalidArgument, "no protection is called '{}'", protection);
  }
  if (protection != "eae" && !task.header.capsule_id().empty()) {
    return make_error(Code::kInvalidArgument, "a capsule with protection '{}'", protection);
  }
  if ((protection == "hse") != (session.hop != nullptr)) {
    return make_error(Code::kPermissionDenied, "a task of protection '{}' came {}", protection,
                      session.hop == nullptr ? "without a path of proxies" : "over a path of proxies");
  }
  if (session.hop == nullptr) return {};
  TCFDL_ASSIGN(const auto named, wire::hop_task(task.header.task_id()));
  if (named != session.hop->task()) {
    return Error(Code::kUnauthenticated, "the records are of another task than the one that they hold");
  }
  if (task.lease.caller_key() == session.route->caller_key() && task.header.sender() == session.route->caller()) {
    return {};
  }
  return make_error(Code::kPermissionDenied, "the path is of {}, the task of {}", session.route->caller(),
                    task.header.sender());
}

Result<wire::Lease> TaskServer::check_lease(Session& session, const wire::TaskRequest& request) {
  TCFDL_ASSIGN(const auto claimed, wire::parse<wire::Lease>(request.lease().statement()));
  TCFDL_ASSIGN(const auto master, master_key(request.master_certificate(), claimed.cluster()));
  TCFDL_ASSIGN(auto lease, wire::verify<wire::Lease>(master, request.lease()));
  if (lease.instance() != settings_.instance || lease.function() != settings_.function) {
    return make_error(Code::kPermissionDenied, "the lease is for {} of {}, this is {} of {}", lease.instance(),
                      lease.function(), settings_.instance, settings_.function);
  }
  if (lease.expires_ms() <= unix_millis()) return Error(Code::kUnavailable, "the lease has expired; ask for another");
  TCFDL_TRY(revocations_.check_key(lease.caller_key(), "the caller"));
  TCFDL_TRY(check_possession(session, request, lease));
  return lease;
}

Status TaskServer::check_possession(Session& session, const wire::TaskRequest& request,
                                    const wire::Lease& lease) const {
  if (session.caller_key.empty()) {
    TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(lease.caller_key())));
    auto shown = wire::verify_labelled(key, "Possession", {session.nonce, as_bytes(settings_.instance)},
                                       as_bytes(request.possession()));
    if (!shown) return shown.error().within("the caller's proof of its key");
    session.caller_key = lease.caller_key();
  }
  if (session.caller_key == lease.caller_key()) return {};
  return Error(Code::kPermissionDenied, "the lease was given to another caller than this connection's");
}

Result<std::shared_ptr<const crypto::CapsuleSecret>> TaskServer::capsule_secret(const wire::TaskRequest& request,
                                                                                const Task& task) {
  if (!request.has_capsule()) return cached_secret(task);
  const auto now = clock_.now();
  TCFDL_ASSIGN(const auto header, wire::verify_turned_capsule(request.capsule(), identity_.authority, now));
  if (header.capsule_id() != task.header.capsule_id() || header.sender() != task.header.sender() ||
      header.function() != task.header.function() || header.assurance() != assurance_ ||
      header.sender_key() != task.lease.caller_key()) {
    return Error(Code::kPermissionDenied, "the capsule is of another task, function, class or caller");
  }
  TCFDL_TRY(check_isolation(header, task));
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(request.capsule().proxy_certificate().statement()));
  TCFDL_TRY(revocations_.check(turner));
  TCFDL_ASSIGN(const auto key, processor_key(header.epoch(), task.deadline));
  wire::ProxyRequest finish;
  *finish.mutable_finish() = request.capsule();
  TCFDL_ASSIGN(const auto reply, proxy_.request(finish, task.deadline));
  auto finished = request.capsule();
  finished.set_ek2(reply.capsule().ek2()); // the rest was verified above
  TCFDL_ASSIGN(auto opened, wire::open_capsule(key->key, finished));
  auto secret = std::make_shared<const crypto::CapsuleSecret>(std::move(opened));
  capsules_.with([&](auto& capsules) {
    if (capsules.size() >= kMostCapsules)
      std::erase_if(capsules, [&](const auto& c) { return c.second.expires <= now; });
    if (capsules.size() >= kMostCapsules) capsules.clear();
    capsules.insert_or_assign(header.capsule_id(), KnownCapsule{header.sender(), header.sender_key(), header.expires(),
                                                                header.epoch(), secret, task.lease.lease_id()});
  });
  return secret;
}

/// A capsule for one instance is for no other, and where the owner wants instances apart, each is for one lease of one.
Status TaskServer::check_isolation(const wire::CapsuleHeader& header, const Task& task) const {
  if (!header.instance().empty() && header.instance() != settings_.instance) {
    return make_error(Code::kPermissionDenied, "the capsule is for {} alone, not for {}", header.instance(),
                      settings_.instance);
  }
  if (!settings_.isolated) return {};
  if (header.instance().empty()) {
    return make_error(Code::kPermissionDenied, "{} takes capsules for one instance alone; the caller is too old",
                      settings_.function);
  }
  const auto known = known_capsule(header.capsule_id());
  if (!known || known->lease_id == task.lease.lease_id()) return {};
  return Error(Code::kPermissionDenied, "the capsule has served another lease; make one for each");
}

std::optional<TaskServer::KnownCapsule> TaskServer::known_capsule(const std::string& id) const {
  return capsules_.with([&](const auto& capsules) -> std::optional<KnownCapsule> {
    const auto found = capsules.find(id);
    return found == capsules.end() ? std::nullopt : std::optional(found->second);
  });
}

Result<std::shared_ptr<const crypto::CapsuleSecret>> TaskServer::cached_secret(const Task& task) {
  const auto known = known_capsule(task.header.capsule_id());
  if (!known || known->expires <= clock_.now()) {
    return Error(Code::kFailedPrecondition, "the capsule is not known here; send it again");
  }
  if (known->sender_key != task.lease.caller_key() || known->sender != task.header.sender()) {
    return Error(Code::kPermissionDenied, "the capsule belongs to another caller than the task");
  }
  if (settings_.isolated && known->lease_id != task.lease.lease_id()) {
    return Error(Code::kPermissionDenied, "the capsule has served another lease; make one for each");
  }
  TCFDL_TRY(revocations_.check_epoch(settings_.function, known->epoch, clock_.now()));
  return known->secret;
}

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
  const auto digest = crypto::sha256(*body);
  auto begun = outcomes_.begin(task.lease.caller_key(), task.header.task_id(), digest, task.deadline);
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
  outcomes_.finish(task.lease.caller_key(), task.header.task_id(), kept);
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
  const crypto::Sha256Digest streamed{};
  auto begun = outcomes_.begin(task.lease.caller_key(), task.header.task_id(), streamed, task.deadline);
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
  outcomes_.finish(task.lease.caller_key(), task.header.task_id(), nullptr);
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

void TaskServer::report(const Task& task, bool done) {
  wire::TaskEvent event;
  event.set_lease_id(task.lease.lease_id());
  event.set_instance(settings_.instance);
  event.set_started(!done);
  event.set_done(done);
  event.set_code(task.code);
  event.set_run_us(task.run_us);
  events_.report(event);
}

} // namespace tcfdl::sdk
