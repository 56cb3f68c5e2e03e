#include "gateway/program.hpp"

#include "base/log.hpp"
#include "gateway/invoke.hpp"
#include "sdk/caller.hpp"
#include "sdk/provider.hpp"
#include "sdk/revocation_watch.hpp"
#include "sdk/task_manager_client.hpp"

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

http::ServerSettings server_settings(const wire::TcpAddress& listen, std::string token) {
  http::ServerSettings settings;
  settings.address = listen.host;
  settings.port = listen.port;
  settings.authenticate = http::single_token(std::move(token));
  settings.threads = 32;
  return settings;
}

Status serve() {
  const SystemClock clock;
  TCFDL_ASSIGN(const auto listen_text, take_variable("TCFDL_GATEWAY_LISTEN"));
  TCFDL_ASSIGN(auto token, take_variable("TCFDL_GATEWAY_TOKEN"));
  TCFDL_ASSIGN(const auto listen, wire::parse_address("tcp:" + listen_text));
  TCFDL_ASSIGN(const auto environment, sdk::InstanceEnvironment::read());
  start_logging(environment.instance);
  const auto deadline = Deadline::after(seconds(30));
  TCFDL_ASSIGN(const auto proxy, sdk::ProxyClient::connect(environment.proxy, deadline));
  TCFDL_ASSIGN(const auto attachment, sdk::attach(environment, *proxy, clock, deadline));
  sdk::TaskManagerClient task_manager(environment.tasks, environment.tasks_token, attachment.identity);
  sdk::Caller caller(attachment.identity, task_manager, *proxy, clock);
  wire::Revocations revocations(attachment.identity.authority);
  const auto forget_void = [&](bool is_newer) {
    if (is_newer) caller.forget_void(revocations);
  };
  TCFDL_ASSIGN(const auto watch, sdk::RevocationWatch::start(environment.proxy, revocations, forget_void, deadline));
  http::Server server(server_settings(std::get<wire::TcpAddress>(listen), std::move(token)));
  add_invoke_route(server, caller);
  server.add("GET", "/healthz", [](const http::Request&) { return http::Response::json(200, R"({"status":"ok"})"); },
             {.is_public = true});
  TCFDL_TRY(server.start());
  spdlog::info("ready: task calls on {}, in the software TEE", listen_text);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  int received = 0;
  ::sigwait(&signals, &received);
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
