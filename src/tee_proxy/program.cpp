#include "tee_proxy/program.hpp"

#include "base/log.hpp"
#include "crypto/secret.hpp"
#include "tee/layers.hpp"
#include "tee/stage.hpp"
#include "tee_proxy/daemon_lines.hpp"
#include "tee_proxy/proxy.hpp"
#include "wire/request_line.hpp"

#include <csignal>
#include <cstdlib>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// How long a caller of the entry waits for the authority; the daemon's next command waits meanwhile.
constexpr seconds kEntryTime{8};

/// One way to the daemon.
class DaemonLine {
public:
  explicit DaemonLine(std::unique_ptr<wire::Connection> connection) : line_(std::move(connection)) {}

  Result<wire::ProxyEventReply> send(wire::ProxyEvent event, Deadline deadline) {
    event.set_remaining_ms(static_cast<std::uint32_t>(deadline.left_millis()));
    TCFDL_ASSIGN(auto reply, line_.exchange(event, deadline));
    if (reply.has_error()) return wire::to_error(reply.error());
    return reply;
  }
  void shutdown() noexcept { line_.shutdown(); }

private:
  wire::RequestLine<wire::ProxyEventReply> line_;
};

/// What the proxy tells its daemon, and what it asks the authority by way of it: apart, since the authority may be far.
class Daemon final : public Authority {
public:
  Daemon(std::unique_ptr<wire::Connection> events, std::unique_ptr<wire::Connection> authority)
      : events_(std::move(events)), authority_(std::move(authority)) {}

  Result<wire::AuthorityReply> request(const wire::AuthorityRequest& request, Deadline deadline) override {
    wire::ProxyEvent event;
    event.set_authority(request.SerializeAsString());
    TCFDL_ASSIGN(const auto reply, authority_.send(event, deadline));
    return wire::parse<wire::AuthorityReply>(reply.authority());
  }

  /// Nobody asks the authority any more.
  void hang_up() noexcept { authority_.shutdown(); }

  void exited(const wire::InstanceExited& exited) {
    wire::ProxyEvent event;
    *event.mutable_exited() = exited;
    tell(event, "that " + exited.instance() + " ended");
  }

  void prepared(const wire::PreparedSlots& slots) {
    wire::ProxyEvent event;
    *event.mutable_slots() = slots;
    tell(event, "of its slots");
  }

  Status spans(const wire::Spans& spans) {
    wire::ProxyEvent event;
    *event.mutable_spans() = spans;
    TCFDL_TRY(events_.send(event, Deadline::after(seconds(10))));
    return {};
  }

private:
  void tell(const wire::ProxyEvent& event, const std::string& what) {
    const auto told = events_.send(event, Deadline::after(seconds(10)));
    if (!told) spdlog::warn("cannot tell the daemon {}: {}", what, told.error().message());
  }

  DaemonLine events_;
  DaemonLine authority_;
};

Result<wire::ProxyCommandReply> handle(TeeProxy& proxy, const wire::ProxyCommand& command) {
  wire::ProxyCommandReply reply;
  if (command.has_launch()) {
    TCFDL_ASSIGN(*reply.mutable_launched(), proxy.launch(command.launch()));
  } else if (command.has_kill()) {
    TCFDL_TRY(proxy.kill(command.kill().instance()));
  } else if (command.has_identity()) {
    TCFDL_TRY(proxy.set_identity(command.identity()));
    for (const auto& layer : proxy.layers()) reply.add_layers(layer);
    reply.set_revocations(proxy.revocation_number());
  } else if (command.has_revocations()) {
    TCFDL_ASSIGN(const auto number, proxy.set_revocations(command.revocations()));
    reply.set_revocations(number);
  } else if (command.has_enrol()) {
    TCFDL_ASSIGN(*reply.mutable_enrolment(), proxy.enrolment(as_bytes(command.enrol().nonce())));
  } else if (command.has_figures()) {
    *reply.mutable_figures() = proxy.figures();
  } else if (command.has_request()) {
    TCFDL_ASSIGN(*reply.mutable_reply(), proxy.handle_entry(command.request(), Deadline::after(kEntryTime)));
  } else {
    return Error(Code::kUnimplemented, "the proxy does not know this command");
  }
  return reply;
}

using Handle = std::function<Result<wire::ProxyCommandReply>(const wire::ProxyCommand&)>;

/// Answers one command of the daemon; false when the daemon is gone.
bool serve_one(const Handle& handler, wire::Connection& commands) {
  const auto command = wire::receive_message<wire::ProxyCommand>(commands, Deadline::after(hours(24)));
  if (!command) return command.error().code() == Code::kDeadlineExceeded;
  auto reply = handler(*command);
  wire::ProxyCommandReply answer;
  if (reply) {
    answer = *std::move(reply);
  } else {
    *answer.mutable_error() = wire::to_info(reply.error());
  }
  return wire::send_message(commands, answer, Deadline::after(seconds(10))).has_value();
}

/// What the proxy is told at its start: in an enclave, the arguments are measured, and the variables are the host's.
struct Start {
  std::string state;
  std::string node;      // TCFDL_NODE
  std::string instances; // TCFDL_PROXY
  TeeSettings tee;
  std::string required = fmt::to_string(fmt::join(tee::default_layers(), ",")); // of the sandbox
  LogSettings logs{.component = "proxy"};
  bool tracing = false;
};

Result<Start> read_start(int argc, char** argv) {
  Start start;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--state") start.state = argv[i + 1];
    if (name == "--tee") start.tee.tee = argv[i + 1];
    if (name == "--attestation-root") start.tee.root = argv[i + 1];
    if (name == "--require") start.required = argv[i + 1];
    if (name == "--tracing") start.tracing = std::string_view(argv[i + 1]) == "on";
    if (name == "--log-level") start.logs.level = argv[i + 1];
    if (name == "--log-format") {
      TCFDL_ASSIGN(start.logs.format, log_format_from_name(argv[i + 1]));
    }
  }
  if (const char* node = std::getenv("TCFDL_NODE")) start.node = node;
  if (const char* instances = std::getenv("TCFDL_PROXY")) start.instances = instances;
  start.logs.node = start.node;
  if (!start.state.empty() && !start.node.empty() && !start.instances.empty() && !start.tee.tee.empty()) return start;
  return Error(Code::kInvalidArgument, "usage: tcfdl-proxy --state DIR --tee software|gramine|tsm [--attestation-root "
                                       "DIR] [--require LAYERS] [--log-level LEVEL] [--log-format text|json] "
                                       "[--tracing on|off]; started by a node's daemon, which sets TCFDL_NODE and "
                                       "TCFDL_PROXY");
}

/// Tries the layers of the sandbox and says in the log what there is and what is missing. An enclave has none: what
/// else runs there would share its memory.
Result<tee::Sandbox> find_sandbox(const Start& start) {
  if (start.tee.tee == "gramine") return tee::Sandbox::none();
  TCFDL_ASSIGN(const auto required, tee::parse_layers(start.required));
  auto sandbox = tee::Sandbox::probe("/proc/self/exe");
  for (const auto& layer : sandbox.missing()) spdlog::warn("software TEE without {}: {}", layer.name, layer.why);
  spdlog::info("software TEE with {}", fmt::join(sandbox.layers(), ", "));
  TCFDL_TRY(sandbox.require(required));
  return sandbox;
}

Result<std::unique_ptr<TeeProxy>> start_proxy(const Start& start, Daemon& daemon, wire::SpanSink* spans,
                                              const Clock& clock) {
  TCFDL_ASSIGN(auto instances, wire::parse_address(start.instances));
  TCFDL_ASSIGN(auto sandbox, find_sandbox(start));
  return TeeProxy::start({start.state, start.node, std::move(instances), start.tee, std::move(sandbox)}, daemon, clock,
                         {.on_exit = [&](const wire::InstanceExited& event) { daemon.exited(event); },
                          .on_slots = [&](const wire::PreparedSlots& slots) { daemon.prepared(slots); },
                          .spans = spans});
}

Status run_proxy(const Start& start) {
  TCFDL_ASSIGN(auto lines, find_daemon());
  auto& commands = *lines.commands;
  Daemon daemon(std::move(lines.events), std::move(lines.authority));
  const SystemClock clock;
  std::optional<wire::SpanBuffer> spans; // which the daemon exports
  if (start.tracing) {
    spans.emplace(wire::SpanBufferSettings{}, [&](const wire::Spans& some) { return daemon.spans(some); });
  }
  const auto proxy = start_proxy(start, daemon, spans ? &*spans : nullptr, clock);
  if (!proxy) {
    // The first command is answered by the reason, so that the daemon can say it; then it starts another proxy.
    serve_one([&](const wire::ProxyCommand&) -> Result<wire::ProxyCommandReply> { return proxy.error(); }, commands);
    return proxy.error();
  }
  spdlog::info("ready for {}: {}", start.node, (*proxy)->description());
  // On the main thread, which instances are bound to for life.
  while (serve_one([&](const wire::ProxyCommand& command) { return handle(**proxy, command); }, commands)) {
  }
  daemon.hang_up(); // whoever asks the authority now would hold up the end
  return {};
}

} // namespace

int run(int argc, char** argv) {
  tee::run_stage_if_asked(argc, argv);
  const auto secrets = crypto::protect_process();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN); // a terminal's Ctrl-C is the daemon's to handle
  const auto start = read_start(argc, argv);
  if (!start) {
    fmt::print(stderr, "tcfdl-proxy: {}\n", start.error().to_string());
    return 2;
  }
  start_logging(start->logs);
  spdlog::info("private keys are in {}", crypto::describe(secrets));
  const auto done = run_proxy(*start);
  if (done) return 0;
  spdlog::error("{}", done.error().to_string());
  return 1;
}

} // namespace tcfdl::tee_proxy
