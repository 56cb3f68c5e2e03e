#include "tee_proxy/program.hpp"

#include "base/log.hpp"
#include "tee_proxy/proxy.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr int kCommands = 3;
constexpr int kEvents = 4;

/// The way to the daemon: one event and its reply at a time.
class Daemon final : public Authority {
public:
  explicit Daemon(UniqueFd fd) : connection_(std::move(fd)) {}

  Result<wire::AuthorityReply> request(const wire::AuthorityRequest& request, Deadline deadline) override {
    wire::ProxyEvent event;
    event.set_authority(request.SerializeAsString());
    TCFDL_ASSIGN(const auto reply, send(event, deadline));
    return wire::parse<wire::AuthorityReply>(reply.authority());
  }

  void exited(const std::string& instance, int status) {
    wire::ProxyEvent event;
    event.mutable_exited()->set_instance(instance);
    event.mutable_exited()->set_status(status);
    const auto told = send(event, Deadline::after(seconds(10)));
    if (!told) spdlog::warn("cannot tell the daemon that {} ended: {}", instance, told.error().message());
  }

private:
  Result<wire::ProxyEventReply> send(const wire::ProxyEvent& event, Deadline deadline) {
    const std::scoped_lock lock(mutex_);
    TCFDL_ASSIGN(auto reply, wire::exchange<wire::ProxyEventReply>(connection_, event, deadline));
    if (reply.has_error()) return wire::to_error(reply.error());
    return reply;
  }

  std::mutex mutex_;
  wire::SocketConnection connection_; // guarded by mutex_
};

Result<wire::ProxyCommandReply> handle(TeeProxy& proxy, const wire::ProxyCommand& command) {
  wire::ProxyCommandReply reply;
  if (command.has_launch()) {
    TCFDL_ASSIGN(const auto pid, proxy.launch(command.launch()));
    reply.mutable_launched()->set_pid(static_cast<std::uint32_t>(pid));
  } else if (command.has_kill()) {
    TCFDL_TRY(proxy.kill(command.kill().instance()));
  } else if (command.has_identity()) {
    TCFDL_TRY(proxy.set_identity(command.identity()));
  } else if (command.has_enrol()) {
    TCFDL_ASSIGN(*reply.mutable_enrolment(), proxy.enrolment());
  } else if (command.has_request()) {
    TCFDL_ASSIGN(*reply.mutable_reply(), proxy.handle_entry(command.request(), Deadline::after(seconds(20))));
  } else {
    return Error(Code::kUnimplemented, "the proxy does not know this command");
  }
  return reply;
}

/// Serves the daemon until it is gone. Runs on the main thread, which instances are bound to for life.
void serve(TeeProxy& proxy, wire::Connection& commands) {
  for (;;) {
    const auto command = wire::receive_message<wire::ProxyCommand>(commands, Deadline::after(hours(24)));
    if (!command && command.error().code() == Code::kDeadlineExceeded) continue;
    if (!command) return;
    auto reply = handle(proxy, *command);
    wire::ProxyCommandReply answer;
    if (reply) {
      answer = *std::move(reply);
    } else {
      *answer.mutable_error() = wire::to_info(reply.error());
    }
    if (!wire::send_message(commands, answer, Deadline::after(seconds(10)))) return;
  }
}

struct Arguments {
  std::string state;
  std::string node;
  std::string instances;
  TeeSettings tee;
};

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--state") arguments.state = argv[i + 1];
    if (name == "--node") arguments.node = argv[i + 1];
    if (name == "--instances") arguments.instances = argv[i + 1];
    if (name == "--tee") arguments.tee.tee = argv[i + 1];
    if (name == "--attestation-root") arguments.tee.root = argv[i + 1];
  }
  if (!arguments.state.empty() && !arguments.node.empty() && !arguments.instances.empty() &&
      !arguments.tee.tee.empty()) {
    return arguments;
  }
  return Error(Code::kInvalidArgument,
               "usage: tcfdl-proxy --state DIR --node NAME --instances ADDRESS --tee software|gramine|tsm "
               "[--attestation-root DIR]; started by a node's daemon with descriptors 3 and 4");
}

Status run_proxy(const Arguments& arguments) {
  if (::fcntl(kCommands, F_GETFD) < 0 || ::fcntl(kEvents, F_GETFD) < 0) {
    return Error(Code::kFailedPrecondition, "descriptors 3 and 4 are not open: the proxy is started by its daemon");
  }
  TCFDL_ASSIGN(auto instances, wire::parse_address(arguments.instances));
  ::fcntl(kCommands, F_SETFD, FD_CLOEXEC);
  ::fcntl(kEvents, F_SETFD, FD_CLOEXEC);
  Daemon daemon{UniqueFd(kEvents)};
  wire::SocketConnection commands{UniqueFd(kCommands)};
  const SystemClock clock;
  TCFDL_ASSIGN(const auto proxy,
               TeeProxy::start({arguments.state, arguments.node, std::move(instances), arguments.tee}, daemon, clock,
                               [&](const std::string& instance, int status) { daemon.exited(instance, status); }));
  spdlog::info("ready for {}: {}", arguments.node, proxy->description());
  serve(*proxy, commands);
  return {};
}

} // namespace

int run(int argc, char** argv) {
  ::prctl(PR_SET_DUMPABLE, 0);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN); // a terminal's Ctrl-C is the daemon's to handle
  const auto arguments = parse_arguments(argc, argv);
  if (!arguments) {
    fmt::print(stderr, "tcfdl-proxy: {}\n", arguments.error().to_string());
    return 2;
  }
  start_logging("tcfdl-proxy");
  const auto done = run_proxy(*arguments);
  if (done) return 0;
  spdlog::error("{}", done.error().to_string());
  return 1;
}

} // namespace tcfdl::tee_proxy
