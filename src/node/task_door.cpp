#include "node/task_door.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/trace_context.hpp"
#include "crypto/random.hpp"
#include "node/proxy_hop.hpp"
#include "wire/body.hpp"

#include <algorithm>
#include <fcntl.h>

namespace tcfdl::node {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// Of one report of a gateway.
constexpr int kMostRefusals = 64;
constexpr std::size_t kMostOfRefusal = 1024;

bool is_short(const wire::Refusal& refusal) { return refusal.ByteSizeLong() < kMostOfRefusal; }

/// A caller that waits for its answer, until it hangs up.
struct Presence {
  Presence(wire::HangupWatcher& watcher, const wire::Connection& caller)
      : watch(watcher.watch(caller.descriptor(), Deadline::after(hours(24)), gone)) {}
  std::stop_source gone;
  wire::HangupWatcher::Watch watch;
};

Error too_many(const std::string& caller) {
  auto error =
      make_error(Code::kResourceExhausted,
                 "{} has {} connections to the task manager, as many as it may; try again later", caller, kMostEach);
  error.set_retry_after(seconds(1));
  return error;
}

wire::TaskManagerReply refusal(const Error& error) {
  wire::TaskManagerReply reply;
  *reply.mutable_error() = wire::to_info(error);
  return reply;
}

bool send(wire::Connection& connection, const wire::TaskManagerReply& reply) {
  return bool(wire::send_message(connection, reply, Deadline::after(seconds(10))));
}

/// A caller asks for keys in its own name only.
Status check_own_keys(const wire::Certificate& caller, const wire::ProxyRequest& request) {
  if (!request.has_sender_keys() && !request.has_receiver_keys()) return {};
  const auto& certificate =
      request.has_sender_keys() ? request.sender_keys().certificate() : request.receiver_keys().certificate();
  TCFDL_ASSIGN(const auto named, wire::parse<wire::Certificate>(certificate.statement()));
  if (named.subject() == caller.subject() && named.verify_key() == caller.verify_key()) return {};
  return make_error(Code::kPermissionDenied, "{} asks for keys of {}", caller.subject(), named.subject());
}

/// As whom a caller is known to the queues and the store. A gateway calls for others.
courier::Owner owner_of(const wire::Certificate& caller, const std::string& on_behalf_of) {
  const bool is_gateway = caller.role() == wire::ROLE_GATEWAY;
  const bool for_another = is_gateway && !on_behalf_of.empty();
  return {.name = for_another ? fmt::format("{} for {}", caller.subject(), on_behalf_of) : caller.subject(),
          .key = caller.verify_key(),
          .on_behalf_of = for_another ? on_behalf_of : std::string(),
          .node = caller.node(),
          .is_gateway = is_gateway};
}

/// The other routes are addresses of the cluster's machines, which mean something else on the caller's.
void keep_relays(wire::LeaseGrant& grant) {
  auto& routes = *grant.mutable_routes();
  const auto others =
      std::ranges::remove_if(routes, [](const wire::Route& route) { return route.kind() != wire::ROUTE_KIND_RELAY; });
  routes.erase(others.begin(), others.end());
}

Status send_content(wire::Connection& connection, const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot open", path);
  wire::SegmentWriter writer(connection, std::nullopt, Deadline::after(seconds(300)));
  Bytes piece(crypto::kSegmentSize);
  for (;;) {
    const auto got = ::read(fd.get(), piece.data(), piece.size());
    if (got < 0) return errno_error("cannot read", path);
    if (got == 0) return writer.finish();
    TCFDL_TRY(writer.write(BytesView(piece).first(static_cast<std::size_t>(got))));
  }
}

} // namespace

Result<std::unique_ptr<TaskDoor>> TaskDoor::start(TaskDoorSettings settings, const TaskDoorParts& parts) {
  std::unique_ptr<TaskDoor> door(new TaskDoor(std::move(settings), parts));
  TCFDL_ASSIGN(door->listener_,
               wire::Listener::start(door->settings_.address, {.name = "tasks", .max_connections = 4096},
                                     [raw = door.get()](auto& peer) { raw->serve(peer, Origin::kCluster); }));
  if (const auto& network = door->settings_.network) {
    TCFDL_ASSIGN(door->network_,
                 wire::listen_tls(network->address, {.name = "tasks in TLS", .max_connections = 1024}, network->tls,
                                  [raw = door.get()](auto& peer) { raw->serve(peer, Origin::kNetwork); }));
  }
  TCFDL_ASSIGN(door->streams_,
               TaskStreams::start(parts.bus, [raw = door.get()](auto& peer) { raw->serve(peer, Origin::kCluster); }));
  return door;
}

void TaskDoor::put_on(metrics::Page& page) const {
  refused_.put_on(page, "tcfdl_door_refused_total",
                  "Connections and calls that the task door refused before the task manager saw them.", "what", "code");
}

void TaskDoor::serve(wire::Connection& connection, Origin origin) {
  wire::TaskManagerReply welcome;
  auto admitted = admit(connection, *welcome.mutable_welcome());
  if (!admitted) {
    refused_.add("connection", std::string(code_name(admitted.error().code())));
    (void)send(connection, refusal(admitted.error())); // the peer may be gone already
    return;
  }
  // A gateway's are those of all who call over HTTP, for whom it has bounds of its own.
  const bool is_bounded = admitted->role() != wire::ROLE_GATEWAY;
  const auto place = is_bounded ? shares_.enter(admitted->subject()) : std::nullopt;
  if (is_bounded && !place) {
    refused_.add("connection", std::string(code_name(Code::kResourceExhausted)));
    (void)send(connection, refusal(too_many(admitted->subject())));
    return;
  }
  welcome.mutable_welcome()->set_cluster(settings_.cluster);
  welcome.mutable_welcome()->set_node(settings_.node);
  *welcome.mutable_welcome()->mutable_entry_proxy() = settings_.entry_proxy.get();
  if (!send(connection, welcome)) return;
  const Caller caller{*std::move(admitted), origin};
  for (;;) {
    const auto request = wire::receive_message<wire::TaskManagerRequest>(connection, Deadline::after(hours(24)));
    if (!request || !handle(connection, caller, *request)) return;
  }
}

Result<wire::Certificate> TaskDoor::admit(wire::Connection& connection, wire::CallerWelcome& welcome) {
  const auto deadline = Deadline::after(seconds(10));
  const auto nonce = crypto::random_array<32>();
  wire::Hello hello;
  hello.set_nonce(wire::field(nonce));
  hello.set_name(settings_.node);
  TCFDL_TRY(wire::send_message(connection, hello, deadline));
  TCFDL_ASSIGN(const auto request, wire::receive_message<wire::TaskManagerRequest>(connection, deadline));
  const auto& answer = request.hello();
  if (!crypto::equal_constant_time(as_bytes(answer.token()), as_bytes(settings_.token))) {
    return Error(Code::kUnauthenticated,
                 "the token is not this cluster's; `tcfdl up` writes a context with the right one");
  }
  TCFDL_ASSIGN(auto caller,
               wire::verify_renewable(parts_.authority, answer.certificate(),
                                      {wire::ROLE_CLIENT, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY, wire::ROLE_WORKER},
                                      parts_.clock.now()));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(caller.verify_key())));
  TCFDL_TRY(wire::verify_labelled(key, "Hello", {nonce, as_bytes(settings_.node)}, as_bytes(answer.signature())));
  if (caller.role() == wire::ROLE_CLIENT) {
    TCFDL_ASSIGN(auto newer, parts_.certificates.newer_than(caller));
    if (newer) *welcome.mutable_certificate() = std::move(newer->certificate);
    if (newer) caller = std::move(newer->parsed);
  }
  TCFDL_TRY(parts_.revocations.check(caller));
  return caller;
}

/// Returns whether the connection goes on.
bool TaskDoor::handle(wire::Connection& connection, const Caller& caller, const wire::TaskManagerRequest& request) {
  if (const auto trusted = check_still_good(caller.certificate); !trusted) {
    (void)send(connection, refusal(trusted.error()));
    return false;
  }
  if (request.has_open_relay()) return relay(connection, request.open_relay());
  if (request.has_submit()) return submit(connection, caller.certificate, request.submit());
  if (request.has_query()) return query(connection, caller.certificate, request.query());
  if (request.has_fetch_file()) return send_file(connection, caller.certificate, request.fetch_file().digest());
  const auto reply = answer(connection, caller, request);
  return send(connection, reply ? *reply : refusal(reply.error()));
}

/// What may have changed since a caller was admitted. Who has a newer certificate connects anew.
Status TaskDoor::check_still_good(const wire::Certificate& caller) const {
  if (caller.expires() > parts_.clock.now()) return parts_.revocations.check(caller);
  return make_error(Code::kUnauthenticated, "the certificate that {} showed has expired since", caller.subject());
}

Result<wire::TaskManagerReply> TaskDoor::answer(wire::Connection& connection, const Caller& caller,
                                                const wire::TaskManagerRequest& request) {
  wire::TaskManagerReply reply;
  if (request.has_lease()) {
    TCFDL_ASSIGN(*reply.mutable_grant(), lease(connection, caller, request.lease()));
  } else if (request.has_spans()) {
    TCFDL_TRY(take_spans(caller.certificate, request.spans()));
  } else if (request.has_refusals()) {
    TCFDL_TRY(take_refusals(caller.certificate, request.refusals()));
  } else if (request.has_release()) {
    parts_.tasks.release(request.release());
  } else if (request.has_newest_certificate()) {
    TCFDL_ASSIGN(*reply.mutable_certificate(), newest(caller.certificate, request.newest_certificate()));
  } else if (request.has_proxy()) {
    TCFDL_TRY(check_own_keys(caller.certificate, request.proxy()));
    TCFDL_ASSIGN(*reply.mutable_proxy(), parts_.proxy.entry(request.proxy(), Deadline::after(seconds(20))));
  } else if (request.has_describe()) {
    TCFDL_ASSIGN(*reply.mutable_offer(), describe(caller.certificate, request.describe().function()));
  } else if (request.has_cancel()) {
    const auto owner = owner_of(caller.certificate, request.cancel().on_behalf_of());
    TCFDL_ASSIGN(*reply.mutable_task(), parts_.async.cancel(owner, request.cancel().task_id()));
  } else if (request.has_list()) {
    TCFDL_ASSIGN(*reply.mutable_tasks(),
                 parts_.async.list(owner_of(caller.certificate, request.list().on_behalf_of())));
  } else if (request.has_topic()) {
    TCFDL_ASSIGN(*reply.mutable_topic(), topic(connection, caller.certificate, request.topic()));
  } else {
    return Error(Code::kUnimplemented, "the task manager does not know this request");
  }
  return reply;
}

/// What took the place of a client's certificate; empty for none. For gateways, whose callers may show an old one.
Result<wire::Signed> TaskDoor::newest(const wire::Certificate& caller, const wire::Signed& unverified) {
  if (caller.role() != wire::ROLE_GATEWAY) {
    return make_error(Code::kPermissionDenied, "{} is no gateway; clients get their own with the welcome",
                      caller.subject());
  }
  TCFDL_ASSIGN(const auto client,
               wire::verify_renewable(parts_.authority, unverified, {wire::ROLE_CLIENT}, parts_.clock.now()));
  TCFDL_ASSIGN(auto newer, parts_.certificates.newer_than(client));
  return newer ? std::move(newer->certificate) : wire::Signed();
}

Result<wire::LeaseGrant> TaskDoor::lease(wire::Connection& connection, const Caller& peer, wire::LeaseRequest request) {
  const auto& caller = peer.certificate;
  const auto owner = owner_of(caller, request.on_behalf_of());
  TCFDL_TRY(admit_call(caller, owner.name, request.function()));
  request.set_caller(owner.name);
  request.set_caller_node(owner.node);
  request.clear_peer();
  request.clear_presented();
  request.set_on_behalf_of(owner.on_behalf_of);
  request.set_caller_key(owner.key);
  const auto trace = TraceContext::parse(request.traceparent());
  const auto trace_id = trace ? trace->trace_text() : std::string();
  const LogScope scope({.task = request.task_id(), .function = request.function(), .trace = trace_id});
  const Presence presence(watcher_, connection);
  auto granted = parts_.tasks.acquire(request, presence.gone.get_token());
  if (!granted) spdlog::debug("no lease for {}: {}", owner.name, granted.error().to_string());
  TCFDL_ASSIGN(auto grant, std::move(granted));
  spdlog::debug("lease of {} on {} for {}", grant.instance(), grant.node(), owner.name);
  if (peer.origin == Origin::kNetwork) keep_relays(grant);
  const auto is_in_tls = [](const wire::Route& route) { return route.address().starts_with("tls:"); };
  if (std::ranges::any_of(grant.routes(), is_in_tls)) grant.set_tls_root(wire::field(settings_.tls_root));
  return grant;
}

bool TaskDoor::submit(wire::Connection& connection, const wire::Certificate& caller, const wire::SubmitTask& task) {
  const auto owner = owner_of(caller, task.on_behalf_of());
  const auto header = wire::parse<wire::SealedHeader>(task.task().header());
  const auto admitted = header ? admit_call(caller, owner.name, header->function()) : Status(header.error());
  if (!admitted) return send(connection, refusal(admitted.error()));
  return parts_.async.submit(connection, owner, caller, task);
}

bool TaskDoor::query(wire::Connection& connection, const wire::Certificate& caller, const wire::TaskQuery& query) {
  const Presence presence(watcher_, connection);
  return parts_.async.query(connection, owner_of(caller, query.on_behalf_of()), query, presence.gone.get_token());
}

Result<wire::TopicReply> TaskDoor::topic(wire::Connection& connection, const wire::Certificate& caller,
                                         const wire::TopicRequest& request) {
  if (request.has_publish()) TCFDL_TRY(calls_.take(caller.subject()));
  const Presence presence(watcher_, connection);
  auto reply = parts_.topics.handle(caller, request, presence.gone.get_token());
  if (!reply && reply.error().code() == Code::kPermissionDenied) {
    parts_.audit.add({caller.subject(), "caller", "", "TOPIC", topic_of(request), false,
                      std::string(code_name(reply.error().code()))});
  }
  return reply;
}

Result<wire::FunctionOffer> TaskDoor::describe(const wire::Certificate& caller, const std::string& function) const {
  if (wire::grants_allow(caller, function)) return parts_.async.describe(function);
  return make_error(Code::kPermissionDenied, "{} has no grant to call {}", caller.subject(), function);
}

Status TaskDoor::admit_call(const wire::Certificate& caller, const std::string& who, const std::string& function) {
  auto allowed = check_call(caller, who, function);
  if (!allowed) {
    refused_.add("call", std::string(code_name(allowed.error().code())));
    parts_.audit.add({who, "caller", "", "CALL", function, false, std::string(code_name(allowed.error().code()))});
  }
  return allowed;
}

Status TaskDoor::check_call(const wire::Certificate& caller, const std::string& who, const std::string& function) {
  if (!wire::grants_allow(caller, function)) {
    return make_error(Code::kPermissionDenied, "{} has no grant to call {}", caller.subject(), function);
  }
  return calls_.take(who);
}

/// Where a relay leads. Through proxies, this node's is the first of them.
Result<std::unique_ptr<wire::Connection>> TaskDoor::open(const wire::OpenRelay& request) const {
  if (request.cluster() == settings_.cluster) return parts_.host.open(request);
  const auto parent = TraceContext::parse(request.traceparent());
  wire::OpenSpan span(parts_.spans, parent.value_or(TraceContext()), "open relay", wire::SPAN_KIND_CLIENT);
  if (!span.records()) return open_linked(request);
  auto within = request;
  within.set_traceparent(span.context().traceparent());
  span.set("cluster", request.cluster());
  auto opened = open_linked(within);
  span.set_outcome(opened ? Status() : Status(opened.error()));
  return opened;
}

Result<std::unique_ptr<wire::Connection>> TaskDoor::open_linked(const wire::OpenRelay& request) const {
  const auto deadline = Deadline::after(seconds(10));
  TCFDL_ASSIGN(auto linked, parts_.links.open(request, deadline));
  if (!request.through_proxies()) return linked;
  return through_proxy(parts_.proxy.address(), std::move(linked), deadline);
}

Status TaskDoor::take_spans(const wire::Certificate& caller, const wire::Spans& spans) {
  if (caller.role() != wire::ROLE_GATEWAY) {
    return make_error(Code::kPermissionDenied, "{} is no gateway; others hand their spans to their node",
                      caller.subject());
  }
  if (parts_.spans != nullptr) parts_.spans->take("gateway/" + caller.subject(), spans);
  return {};
}

/// As the administration API's are recorded; `from` says by which gateway.
Status TaskDoor::take_refusals(const wire::Certificate& caller, const wire::Refusals& refusals) {
  if (caller.role() != wire::ROLE_GATEWAY) {
    return make_error(Code::kPermissionDenied, "{} is no gateway; what others refuse is not recorded",
                      caller.subject());
  }
  const auto& all = refusals.refusals();
  if (all.size() > kMostRefusals || !std::ranges::all_of(all, is_short)) {
    return make_error(Code::kInvalidArgument, "a report has {} refusals at most, each below {} bytes", kMostRefusals,
                      kMostOfRefusal);
  }
  for (const auto& each : all) {
    parts_.audit.add(
        {each.who(), each.role(), fmt::format("{} at {}", each.host(), caller.subject()), each.method(), each.path(),
         false,
         each.times() > 1 ? fmt::format("{}, {} times", each.status(), each.times()) : fmt::to_string(each.status())});
  }
  if (refusals.others() > 0) {
    parts_.audit.add({caller.subject(), "gateway", "", "REFUSE", "requests of many kinds", false,
                      fmt::format("{} times", refusals.others())});
  }
  return {};
}

bool TaskDoor::relay(wire::Connection& connection, const wire::OpenRelay& request) {
  const auto remote = open(request);
  if (!remote) return send(connection, refusal(remote.error()));
  if (!send(connection, {})) return false;
  collaboration::splice(connection, **remote);
  return false;
}

/// To workers, which run what the files hold.
bool TaskDoor::send_file(wire::Connection& connection, const wire::Certificate& caller, const std::string& digest) {
  if (caller.role() != wire::ROLE_WORKER) {
    return send(connection, refusal(make_error(Code::kPermissionDenied, "{} is no worker", caller.subject())));
  }
  const auto path = parts_.files.path_of(digest);
  if (!path) return send(connection, refusal(path.error()));
  return send(connection, {}) && send_content(connection, *path);
}

} // namespace tcfdl::node
