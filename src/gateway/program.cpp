#include "gateway/program.hpp"

#include "base/log.hpp"
#include "base/renewal.hpp"
#include "gateway/invoke.hpp"
#include "gateway/model_routes.hpp"
#include "gateway/refusals.hpp"
#include "gateway/stream.hpp"
#include "gateway/task_routes.hpp"
#include "sdk/caller.hpp"
#include "sdk/provider.hpp"
#include "sdk/revocation_watch.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/server_names.hpp"

#include <csignal>
#include <cstdlib>

namespace tcfdl::gateway {
namespace {

using std::chrono::seconds;

Result<std::string> take_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') {
    return make_error(Code::kFailedPrecondition, "{} is not set: the gateway is started by a master", name);
  }
  std::string text(value);
  ::unsetenv(name);
  return text;
}

/// Where it listens and whom it admits.
struct Door {
  wire::TcpAddress listen;
  bool tls = false;
  std::string token;

  static Result<Door> take() {
    Door door;
    TCFDL_ASSIGN(const auto listen, take_variable("TCFDL_GATEWAY_LISTEN"));
    TCFDL_ASSIGN(const auto address, wire::parse_address("tcp:" + listen));
    door.listen = std::get<wire::TcpAddress>(address);
    door.tls = bool(take_variable("TCFDL_GATEWAY_TLS"));
    TCFDL_ASSIGN(door.token, take_variable("TCFDL_GATEWAY_TOKEN"));
    return door;
  }
};

http::ServerSettings server_settings(const Door& door, std::shared_ptr<crypto::ServerTls> tls, const Callers& callers,
                                     Refusals& refusals) {
  http::ServerSettings settings;
  settings.address = door.listen.host;
  settings.port = door.listen.port;
  settings.authenticate = http::single_token(door.token);
  if (tls) settings.identify = [&callers](BytesView certificate) { return callers.identify(certificate); };
  settings.tls = std::move(tls);
  settings.on_answered = [&refusals](const http::Answered& request) { refusals.note(request); };
  settings.reshape_problem = reshape_problem;
  settings.threads = 32;
  return settings;
}

/// Tasks in the store of the gateway's master.
class SubmittedTasks final : public StoredTasks {
public:
  explicit SubmittedTasks(sdk::Submitter& submitter) : submitter_(submitter) {}
  Result<sdk::Submitted> submit(const std::string& function, BytesView body, const SubmitOptions& options,
                                const std::string& client) override {
    return submitter_.submit(function, body, options, client);
  }
  Result<TaskOutcome> wait(const std::string& id, std::chrono::milliseconds timeout, const sdk::ResultAccess& access,
                           const std::string& client) override {
    return submitter_.wait(id, timeout, access, client);
  }
  Result<TaskInfo> cancel(const std::string& id, const std::string& client) override {
    return submitter_.cancel(id, client);
  }
  Result<std::vector<TaskInfo>> list(const std::string& client) override { return submitter_.list(client); }

private:
  sdk::Submitter& submitter_;
};

void wait_for_sigterm() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  int received = 0;
  ::sigwait(&signals, &received);
}

Status serve() {
  const SystemClock clock;
  TCFDL_ASSIGN(const auto door, Door::take());
  TCFDL_ASSIGN(const auto environment, sdk::InstanceEnvironment::read());
  start_logging_as_told({.component = "gateway", .node = environment.node, .instance = environment.instance});
  const auto deadline = Deadline::after(seconds(30));
  TCFDL_ASSIGN(const auto proxy, sdk::ProxyClient::connect(environment.proxy, deadline));
  TCFDL_ASSIGN(const auto attachment, sdk::attach(environment, *proxy, clock, deadline));
  sdk::TaskManagerClient task_manager(sdk::connector_to(environment.tasks), environment.tasks_token,
                                      attachment.identity);
  const auto spans = sdk::spans_as_told(environment.instance, [&](const wire::Spans& some) {
    return task_manager.spans(some, Deadline::after(seconds(5)));
  });
  sdk::Caller caller(attachment.identity, task_manager, *proxy, clock, nullptr, spans.get());
  sdk::Submitter submitter(attachment.identity, task_manager, caller.capsules(), caller.names(), clock);
  SubmittedTasks tasks(submitter);
  wire::Revocations revocations(attachment.identity.authority);
  const auto forget_void = [&](bool is_newer) {
    if (is_newer) caller.forget_void(revocations);
  };
  TCFDL_ASSIGN(const auto watch, sdk::RevocationWatch::start(environment.proxy, revocations, forget_void, deadline));
  const auto& identity = attachment.identity;
  const auto server_name = wire::gateway_server(environment.cluster);
  std::shared_ptr<crypto::ServerTls> tls;
  if (door.tls) {
    TCFDL_ASSIGN(
        tls, sdk::make_server_tls(identity, attachment.tls_chain, server_name, sdk::PeerCertificates::kAsked, clock));
  }
  const auto renew = [&]() -> Status {
    TCFDL_ASSIGN(const auto chain, sdk::renew_certificate(identity, *proxy, clock, Deadline::after(seconds(20))));
    return tls ? sdk::renew_server_tls(*tls, identity, chain, server_name, clock) : Status();
  };
  const Renewal renewal({.what = "the certificate"}, clock, [&] { return identity.certificate.lifetime(); }, renew);
  Callers callers(
      {identity.authority, environment.cluster, revocations, clock},
      [&](const wire::Signed& certificate, Deadline by) { return task_manager.newest_certificate(certificate, by); });
  CallFigures figures;
  ModelDescriptions models;
  Refusals refusals(
      [&](const wire::Refusals& report) { return task_manager.refusals(report, Deadline::after(seconds(5))); });
  http::Server server(server_settings(door, tls, callers, refusals));
  const InvokeParts calls{caller, callers, figures, spans.get()};
  add_invoke_route(server, calls);
  add_model_routes(server, calls, models);
  add_stream_route(server, caller, callers);
  add_task_routes(server, tasks, callers);
  add_metrics_route(server, figures);
  server.add("GET", "/healthz", [](const http::Request&) { return http::Response::json(200, R"({"status":"ok"})"); },
             {.is_public = true});
  TCFDL_TRY(server.start());
  spdlog::info("ready: task calls on {}:{}{}, in the software TEE", door.listen.host, door.listen.port,
               door.tls ? " in TLS" : "");
  wait_for_sigterm();
  server.stop();
  return {};
}

} // namespace

int run() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = serve();
  if (done) return 0;
  fmt::print(stderr, "tcfdl-gateway: {}\n", done.error().to_string());
  return 1;
}

} // namespace tcfdl::gateway
