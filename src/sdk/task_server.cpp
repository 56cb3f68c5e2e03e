#include "sdk/task_server_session.hpp"

#include "base/log.hpp"
#include "wire/proto/hop.pb.h"

#include <algorithm>
#include <chrono>
#include <fmt/ranges.h>

namespace tcfdl::sdk {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t kMostMasters = 256;
constexpr std::size_t kMostOutcomes = 100'000;
constexpr std::int64_t kOutcomeLifetime = 600;

/// The trace that the caller says the task is of; one of the task's own where that is not the one in the sealed header.
TraceContext trace_of(const wire::TaskRequest& request, const wire::SealedHeader& header) {
  const auto given = TraceContext::parse(request.traceparent());
  return given && given->trace_text() == header.trace_id() ? *given : wire::begin_trace(header.task_id(), nullptr);
}

Status check_time(const wire::Lease& lease) {
  if (lease.expires_ms() > unix_millis()) return {};
  return Error(Code::kUnavailable, "the lease has expired; ask for another");
}

} // namespace

TaskServer::TaskServer(TaskServerSettings settings, const Identity& identity, ProcessorKey key, Proxy& proxy,
                       TaskEvents& events, Client& outgoing, Work work, const Clock& clock,
                       const wire::Revocations& revocations)
    : settings_(std::move(settings)), identity_(identity), events_(events), outgoing_(outgoing), work_(std::move(work)),
      clock_(clock), revocations_(revocations),
      keys_({settings_.instance, settings_.function, settings_.isolated, settings_.renew_tls}, identity, std::move(key),
            proxy, clock, revocations),
      topic_keys_(identity, proxy, clock), outcomes_(settings_.outcome_budget, kMostOutcomes, kOutcomeLifetime, clock),
      bursts_(settings_.instance, events), receipts_(identity, settings_.descriptor) {}

void TaskServer::serve(wire::Connection& connection, Reach reach) {
  Session session{.connection = connection, .reach = reach};
  serve_tasks(session);
}

void TaskServer::serve_tasks(Session& session) {
  auto& connection = session.connection;
  wire::Hello hello;
  hello.set_nonce(wire::field(session.nonce));
  hello.set_name(settings_.instance);
  if (!wire::send_message(connection, hello, Deadline::after(seconds(10)))) return;
  for (;;) {
    const auto until = next_request_by(session);
    const auto request = wire::receive_message<wire::TaskRequest>(connection, until);
    if (!request && session.burst && request.error().code() == Code::kDeadlineExceeded) {
      session.burst.reset();
      continue;
    }
    if (!request) return;
    if (!request->hop().empty() && session.hop == nullptr) return serve_path(connection, as_bytes(request->hop()));
    if (!(request->has_cancel() ? handle_cancel(session, *request) : handle(session, *request))) return;
  }
}

/// Who has not proven a key is not waited for.
Deadline TaskServer::next_request_by(const Session& session) {
  if (session.burst) return session.burst->until();
  return session.caller_key.empty() ? Deadline::after(seconds(10)) : Deadline::after(hours(24));
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
  if (route.assurance() != keys_.assurance() || !wire::assurance_meets(proxy.assurance(), route.assurance())) {
    return make_error(Code::kPermissionDenied, "the path is of class '{}', {} processes '{}'", route.assurance(),
                      settings_.instance, keys_.assurance());
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

Status TaskServer::enter(const Task& task) {
  const std::scoped_lock lock(mutex_);
  if (draining_ || running_ >= settings_.concurrency) {
    return make_error(Code::kUnavailable, "{} takes no task now: it is busy or draining", settings_.instance);
  }
  if (task.burst != nullptr) TCFDL_TRY(task.burst->begin());
  ++running_;
  ++busy_;
  deadlines_.insert(task.deadline.when());
  return {};
}

std::chrono::milliseconds TaskServer::overdue() {
  const std::scoped_lock lock(mutex_);
  if (deadlines_.empty()) return {};
  const auto past = Deadline::Clock::now() - *deadlines_.begin();
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(past), std::chrono::milliseconds(0));
}

void TaskServer::end_work(Task& task) {
  if (!std::exchange(task.working, false)) return;
  {
    const std::scoped_lock lock(mutex_);
    --running_;
    deadlines_.erase(deadlines_.find(task.deadline.when()));
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
  if (task) {
    if (const auto entered = enter(*task); !entered) task = entered.error();
  }
  if (!task) {
    const auto deadline = Deadline::after(seconds(30));
    wire::SegmentReader rest(session.connection, std::nullopt, deadline, settings_.max_body);
    if (!rest.drain()) return false;
    wire::TaskReply reply;
    *reply.mutable_refused() = wire::to_info(task.error());
    return bool(wire::send_message(session.connection, reply, deadline));
  }
  const LogScope scope(
      {.task = task->header.task_id(), .function = settings_.function, .trace = task->header.trace_id()});
  if (task->header.receipt()) task->receipt.emplace();
  report(*task, false);
  const auto cancellable = presented_.enter(task->lease, task->stop);
  // A master that went away comes again for what it presented.
  const auto peer = task->lease.presented() ? -1 : session.connection.descriptor();
  const auto watch = watcher_.watch(peer, task->deadline, task->stop);
  const auto done = run(session, *task);
  if (!done && task->code == 0) task->code = static_cast<std::uint32_t>(done.error().code());
  end_work(*task);
  leave();
  task->span->set_code(task->code);
  task->span->end();
  const auto code = task->code == 0 ? "OK" : code_name(code_from_number(task->code));
  spdlog::debug("ended with {} after {} us{}{}", code, task->run_us, done ? "" : ": ",
                done ? std::string() : done.error().to_string());
  return bool(done);
}

Result<TaskServer::Task> TaskServer::admit(Session& session, const wire::TaskRequest& request) {
  if (request.has_delivery()) return admit_message(session, request);
  TCFDL_ASSIGN(auto lease, lease_of(session, request));
  TCFDL_ASSIGN(auto header, wire::parse<wire::SealedHeader>(request.sealed_header()));
  const bool is_burst = lease.burst_tasks() > 0;
  if (is_burst) lease.set_task_id(header.task_id());
  if (header.task_id() != lease.task_id() || header.function() != settings_.function) {
    return make_error(Code::kInvalidArgument, "the body is of task {} of {}, the lease of task {} of {}",
                      header.task_id(), header.function(), lease.task_id(), settings_.function);
  }
  const auto left = header.expires_ms() - unix_millis();
  if (left <= 0) return Deadline::exceeded("the way to the instance");
  const auto millis = std::min<std::uint64_t>(static_cast<std::uint64_t>(left), request.remaining_ms());
  auto span = open_span(request, header);
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
            0,
            {},
            std::move(span),
            is_tracestate(request.tracestate()) ? request.tracestate() : std::string(),
            {},
            is_burst ? session.burst.get() : nullptr};
  task.traffic.set_way(session.hop != nullptr ? "proxies" : request.way());
  if (const auto good = prepare(session, request, task); !good) {
    task.span->set_outcome(good);
    return good.error();
  }
  return task;
}

/// Of a task, from its admission to its end.
std::unique_ptr<wire::OpenSpan> TaskServer::open_span(const wire::TaskRequest& request,
                                                      const wire::SealedHeader& header) const {
  auto span = std::make_unique<wire::OpenSpan>(settings_.spans, trace_of(request, header), settings_.function,
                                               wire::SPAN_KIND_SERVER);
  span->set("task", header.task_id());
  span->set("instance", settings_.instance);
  return span;
}

/// Checks the way of a task and finds the key of its capsule.
Status TaskServer::prepare(const Session& session, const wire::TaskRequest& request, Task& task) {
  if (std::ranges::find(settings_.protections, task.header.protection()) == settings_.protections.end()) {
    return make_error(Code::kPermissionDenied, "{} does not admit protection '{}'; it admits {}", settings_.function,
                      task.header.protection(), fmt::join(settings_.protections, ", "));
  }
  TCFDL_TRY(check_protection(session, task));
  TCFDL_TRY(check_presented(session, task));
  if (task.header.protection() != "eae") return {};
  if (task.salt.size() != crypto::kSaltSize) return Error(Code::kInvalidArgument, "the salt has not 32 bytes");
  TCFDL_ASSIGN(task.secret, request.has_capsule() ? keys_.open(request.capsule(), task.header, task.lease,
                                                               task.deadline, task.trace().traceparent())
                                                  : keys_.find(task.header, task.lease));
  if (request.has_lease()) TCFDL_TRY(check_time(task.lease)); // the proxy may have taken long
  return {};
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
  if (session.reach == Reach::kOpen && protection == "none") {
    return Error(Code::kPermissionDenied, "a task without protection came over an open network; it has to be relayed");
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

/// The lease that the request shows, or the burst that its connection has.
Result<wire::Lease> TaskServer::lease_of(Session& session, const wire::TaskRequest& request) {
  if (!request.has_lease()) {
    if (!session.burst) return Error(Code::kUnavailable, "the connection has no burst lease; ask for a lease");
    TCFDL_TRY(revocations_.check_key(session.burst->lease().caller_key(), "the caller"));
    return session.burst->lease();
  }
  TCFDL_ASSIGN(auto lease, check_lease(session, request));
  if (lease.burst_tasks() > 0) TCFDL_TRY(open_burst(session, lease));
  return lease;
}

Status TaskServer::open_burst(Session& session, const wire::Lease& lease) {
  if (settings_.isolated || session.hop != nullptr) {
    return make_error(Code::kPermissionDenied, "a burst lease for {}, where each task has a lease of its own",
                      settings_.isolated ? "isolated instances" : "a path of proxies");
  }
  if (session.burst && session.burst->lease().lease_id() == lease.lease_id()) return {};
  TCFDL_ASSIGN(session.burst, bursts_.open(lease));
  return {};
}

Result<wire::Lease> TaskServer::check_lease(Session& session, const wire::TaskRequest& request) {
  TCFDL_ASSIGN(const auto claimed, wire::parse<wire::Lease>(request.lease().statement()));
  TCFDL_ASSIGN(const auto master, master_key(request.master_certificate(), claimed.cluster()));
  TCFDL_ASSIGN(auto lease, wire::verify<wire::Lease>(master, request.lease()));
  if (lease.instance() != settings_.instance || lease.function() != settings_.function) {
    return make_error(Code::kPermissionDenied, "the lease is for {} of {}, this is {} of {}", lease.instance(),
                      lease.function(), settings_.instance, settings_.function);
  }
  TCFDL_TRY(check_time(lease));
  TCFDL_TRY(revocations_.check_key(lease.caller_key(), "the caller"));
  TCFDL_TRY(check_possession(session, request, lease.presented() ? wire::field(master.bytes()) : lease.caller_key()));
  return lease;
}

Result<crypto::VerifyKey> TaskServer::master_key(const wire::Signed& certificate, const std::string& cluster) {
  const auto name = certificate.statement() + certificate.signature();
  const auto now = clock_.now();
  const auto known = masters_.with([&](const auto& masters) -> std::optional<KnownMaster> {
    const auto found = masters.find(name);
    return found == masters.end() ? std::nullopt : std::optional(found->second);
  });
  if (known && known->certificate.expires() > now && known->certificate.cluster() == cluster) {
    TCFDL_TRY(revocations_.check(known->certificate));
    return known->key;
  }
  TCFDL_ASSIGN(auto master, wire::verify_certificate(identity_.authority, certificate, {wire::ROLE_MASTER}, now));
  if (master.cluster() != cluster) {
    return make_error(Code::kPermissionDenied, "the master of {} gave a lease of {}", master.cluster(), cluster);
  }
  TCFDL_TRY(revocations_.check(master));
  TCFDL_ASSIGN(auto key, crypto::VerifyKey::from_bytes(as_bytes(master.verify_key())));
  masters_.with([&](auto& masters) {
    if (masters.size() >= kMostMasters) masters.clear();
    masters.insert_or_assign(name, KnownMaster{std::move(master), key});
  });
  return key;
}

/// `holder`: the key that is to be proven, in a session once.
Status TaskServer::check_possession(Session& session, const wire::TaskRequest& request,
                                    const std::string& holder) const {
  if (session.caller_key.empty()) {
    TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(holder)));
    auto shown = wire::verify_labelled(key, "Possession", {session.nonce, as_bytes(settings_.instance)},
                                       as_bytes(request.possession()));
    if (!shown) return shown.error().within("the caller's proof of its key");
    session.caller_key = holder;
  }
  if (session.caller_key == holder) return {};
  return Error(Code::kPermissionDenied, "the lease was given to another caller than this connection's");
}

void TaskServer::report(const Task& task, bool done) {
  if (task.burst != nullptr && done) {
    wire::TaskRun run;
    run.set_code(task.code);
    run.set_run_us(task.run_us);
    *run.mutable_traffic() = task.traffic;
    return task.burst->end(run);
  }
  if (task.burst != nullptr) return task.burst->report_start();
  wire::TaskEvent event;
  event.set_lease_id(task.lease.lease_id());
  event.set_instance(settings_.instance);
  event.set_started(!done);
  event.set_done(done);
  event.set_code(task.code);
  event.set_run_us(task.run_us);
  if (done) *event.mutable_traffic() = task.traffic;
  events_.report(event);
}

} // namespace tcfdl::sdk
