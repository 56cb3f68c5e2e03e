#include "node/proxy_process.hpp"

#include "base/child.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "instance_manager/backoff.hpp"
#include "instance_manager/names.hpp"

#include <csignal>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace tcfdl::node {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kTailLines = 20;
/// A proxy that answers nothing for so long hangs. No command takes as long.
constexpr seconds kPatience{40};

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

Result<Ends> make_pair() {
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return errno_error("cannot make sockets for", "the proxy");
  return Ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

} // namespace

ProxyProcess::ProxyProcess(ProxyProcessSettings settings, ProxyEvents& events)
    : settings_(std::move(settings)), events_(events) {}

Status ProxyProcess::start() {
  if (!std::filesystem::exists(settings_.program)) {
    return make_error(Code::kNotFound, "there is no TEE proxy at {}; it belongs beside the program tcfdl",
                      settings_.program.string());
  }
  thread_ = std::thread([this] { supervise(); });
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, seconds(10), [this] { return commands_ != nullptr; })) return {};
  return make_error(Code::kUnavailable, "the TEE proxy did not start; its log is {}", settings_.log.string());
}

void ProxyProcess::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    if (commands_) commands_->shutdown(); // the proxy ends when its commands do
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ProxyProcess::supervise() {
  instance_manager::Backoff backoff({});
  for (bool first = true;; first = false) {
    auto child = spawn();
    if (child) {
      {
        const std::scoped_lock lock(mutex_);
        commands_ = std::move(child->commands);
        silent_since_.reset();
        pid_ = child->pid;
        if (stopping_) commands_->shutdown();
      }
      changed_.notify_all();
      if (!first) {
        events_.on_restarted();
        const auto restored = restore_identity();
        if (!restored) spdlog::error("the new TEE proxy does not take its identity: {}", restored.error().message());
        if (!restored && restored.error().code() == Code::kDeadlineExceeded) replace(current());
      }
      std::thread authority([this, &child] { serve(*child->authority); });
      serve(*child->events);
      child->authority->shutdown();
      authority.join();
      int status = 0;
      {
        const std::scoped_lock lock(mutex_);
        pid_ = -1; // from here on the number is this thread's alone
      }
      ::kill(child->pid, SIGTERM);
      ::waitpid(child->pid, &status, 0);
      const std::scoped_lock lock(mutex_);
      commands_.reset();
      slots_.clear();
      last_end_ = describe_exit(status);
      changed_.notify_all();
      if (!stopping_) {
        spdlog::error("the TEE proxy {}; starting another; its log is {}", describe_exit(status),
                      settings_.log.string());
      }
    } else {
      spdlog::error("cannot start the TEE proxy: {}", child.error().message());
    }
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, backoff.next(instance_manager::random_unit()), [this] { return stopping_; })) return;
  }
}

Result<ProxyProcess::Child> ProxyProcess::spawn() const {
  TCFDL_ASSIGN(auto commands, make_pair());
  TCFDL_ASSIGN(auto events, make_pair());
  TCFDL_ASSIGN(auto authority, make_pair());
  const UniqueFd log(::open(settings_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (!log.valid()) return errno_error("cannot write", settings_.log);
  const auto program = settings_.program.string();
  const auto state = settings_.state.string();
  const auto instances = wire::to_string(settings_.instances);
  const auto root = settings_.attestation_root.string();
  std::vector<const char*> arguments{
      program.c_str(),   "--state", state.c_str(),         "--node",    settings_.node.c_str(),    "--instances",
      instances.c_str(), "--tee",   settings_.tee.c_str(), "--require", settings_.required.c_str()};
  if (!root.empty()) arguments.insert(arguments.end(), {"--attestation-root", root.c_str()});
  arguments.push_back(nullptr);
  const auto parent = ::getpid();
  const auto pid = ::fork();
  if (pid < 0) return errno_error("cannot start", settings_.program);
  if (pid == 0) {
    begin_child(parent);
    // Above every number in use first, so that none overwrites another.
    const int high_commands = ::fcntl(commands.theirs.get(), F_DUPFD, 100);
    const int high_events = ::fcntl(events.theirs.get(), F_DUPFD, 100);
    const int high_authority = ::fcntl(authority.theirs.get(), F_DUPFD, 100);
    ::dup2(log.get(), 1);
    ::dup2(log.get(), 2);
    ::dup2(high_commands, 3);
    ::dup2(high_events, 4);
    ::dup2(high_authority, 5);
    ::close_range(6, ~0U, 0);
    ::execv(program.c_str(), const_cast<char* const*>(arguments.data()));
    ::_exit(127);
  }
  return Child{pid, std::make_shared<Commands>(std::make_unique<wire::SocketConnection>(std::move(commands.ours))),
               std::make_unique<wire::SocketConnection>(std::move(events.ours)),
               std::make_unique<wire::SocketConnection>(std::move(authority.ours))};
}

void ProxyProcess::serve(wire::Connection& events) {
  for (;;) {
    const auto event = wire::receive_message<wire::ProxyEvent>(events, Deadline::after(hours(24)));
    if (!event && event.error().code() == Code::kDeadlineExceeded) continue;
    if (!event) return;
    wire::ProxyEventReply reply;
    if (event->has_exited()) events_.on_exited(event->exited());
    if (event->has_slots()) {
      const std::scoped_lock lock(mutex_);
      slots_.assign(event->slots().slots().begin(), event->slots().slots().end());
    }
    if (event->kind_case() == wire::ProxyEvent::kAuthority) {
      const auto answer =
          events_.on_authority(as_bytes(event->authority()), Deadline::after_millis(event->remaining_ms()));
      if (answer) {
        reply.set_authority(wire::field(*answer));
      } else {
        *reply.mutable_error() = wire::to_info(answer.error());
      }
    }
    if (!wire::send_message(events, reply, Deadline::after(seconds(10)))) return;
  }
}

Result<wire::ProxyCommandReply> ProxyProcess::command(const wire::ProxyCommand& command, Deadline deadline) {
  const auto commands = current();
  if (!commands) {
    return make_error(Code::kUnavailable, "the node's TEE proxy is being restarted; why, says {}",
                      settings_.log.string());
  }
  auto reply = commands->exchange(command, deadline);
  note_answer(commands, reply.has_value());
  if (!reply && reply.error().code() == Code::kDeadlineExceeded) return reply; // the answer is dropped when it comes
  if (!reply) {
    replace(commands); // out of step: a new process is cleaner than a guess
    return ended(reply.error(), commands);
  }
  if (reply->has_error()) return wire::to_error(reply->error());
  return reply;
}

ProxyProcess::CommandsPtr ProxyProcess::current() const {
  const std::scoped_lock lock(mutex_);
  return commands_;
}

void ProxyProcess::note_answer(const CommandsPtr& commands, bool answered) {
  {
    const std::scoped_lock lock(mutex_);
    if (answered) silent_since_.reset();
    if (!silent_since_ && !answered) silent_since_ = Deadline::Clock::now();
    if (commands_ != commands || !silent_since_ || Deadline::Clock::now() - *silent_since_ < kPatience) return;
  }
  spdlog::error("the TEE proxy has answered nothing for {} s and is replaced", kPatience.count());
  replace(commands);
}

void ProxyProcess::replace(const CommandsPtr& commands) {
  commands->shutdown();
  const std::scoped_lock lock(mutex_);
  if (commands_ == commands && pid_ > 0) ::kill(pid_, SIGKILL); // it may be stopped
}

Error ProxyProcess::ended(const Error& error, const CommandsPtr& commands) {
  std::unique_lock lock(mutex_);
  const bool over = changed_.wait_for(lock, seconds(2), [&] { return commands_ != commands; });
  if (!over) return error.within("the TEE proxy");
  return make_error(error.code(), "the TEE proxy: {}; its end: {}", error.message(), last_end_);
}

bool ProxyProcess::await(Deadline deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.when(), [this] { return commands_ || stopping_; }) && !stopping_;
}

Status ProxyProcess::restore_identity() {
  std::optional<wire::ProxyIdentity> identity;
  {
    const std::scoped_lock lock(mutex_);
    identity = identity_;
  }
  if (!identity) return {};
  wire::ProxyCommand message;
  *message.mutable_identity() = *identity;
  TCFDL_ASSIGN(const auto reply, command(message, Deadline::after(seconds(10))));
  revocations_ = reply.revocations();
  const std::scoped_lock lock(mutex_);
  layers_.assign(reply.layers().begin(), reply.layers().end());
  return {};
}

std::vector<std::string> ProxyProcess::layers() const {
  const std::scoped_lock lock(mutex_);
  return layers_;
}

std::vector<wire::InstanceSlot> ProxyProcess::slots() const {
  const std::scoped_lock lock(mutex_);
  return slots_;
}

Result<wire::ProxyEnrolment> ProxyProcess::enrolment(BytesView nonce) {
  wire::ProxyCommand message;
  message.mutable_enrol()->set_nonce(wire::field(nonce));
  const auto deadline = Deadline::after(seconds(20));
  auto reply = command(message, deadline);
  while (!reply && reply.error().code() == Code::kUnavailable && await(deadline)) reply = command(message, deadline);
  if (!reply) {
    return make_error(reply.error().code(), "{}; the end of {}:\n{}", reply.error().message(), settings_.log.string(),
                      file_tail(settings_.log, kTailLines));
  }
  return std::move(*reply->mutable_enrolment());
}

Status ProxyProcess::set_identity(const wire::ProxyIdentity& identity) {
  {
    const std::scoped_lock lock(mutex_);
    identity_ = identity;
  }
  return restore_identity();
}

Result<std::uint64_t> ProxyProcess::set_revocations(const wire::Signed& list) {
  wire::ProxyCommand message;
  *message.mutable_revocations() = list;
  TCFDL_ASSIGN(const auto reply, command(message, Deadline::after(seconds(10))));
  revocations_ = reply.revocations();
  return reply.revocations();
}

Result<wire::ProxyReply> ProxyProcess::entry(const wire::ProxyRequest& request, Deadline deadline) {
  wire::ProxyCommand message;
  *message.mutable_request() = request;
  TCFDL_ASSIGN(auto reply, command(message, deadline.earlier(Deadline::after(seconds(25)))));
  return std::move(*reply.mutable_reply());
}

Result<std::uint32_t> ProxyProcess::launch(const wire::LaunchInstance& order, Deadline deadline) {
  wire::ProxyCommand message;
  *message.mutable_launch() = order;
  const auto reply = command(message, deadline);
  // What is given up may start nevertheless, and nobody would know of it.
  if (!reply && reply.error().code() == Code::kDeadlineExceeded) (void)kill(InstanceId(order.instance()));
  if (!reply) return reply.error();
  return reply->launched().pid();
}

Status ProxyProcess::kill(const InstanceId& instance) {
  wire::ProxyCommand message;
  message.mutable_kill()->set_instance(instance.str());
  TCFDL_TRY(command(message, Deadline::after(seconds(10))));
  return {};
}

} // namespace tcfdl::node
