#include "node/proxy_process.hpp"

#include "base/child.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/program_path.hpp"
#include "instance_manager/backoff.hpp"
#include "instance_manager/names.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t kTailLines = 20;
/// From the start to the lines: an enclave's memory is measured page by page meanwhile.
constexpr seconds kStartTime{60};
/// From SIGTERM to SIGKILL, for a process that has lost its lines already.
constexpr seconds kEndTime{5};
/// A proxy that answers nothing for so long hangs. No command takes as long.
constexpr seconds kPatience{40};

} // namespace

ProxyProcess::ProxyProcess(ProxyProcessSettings settings, ProxyEvents& events)
    : settings_(std::move(settings)), events_(events) {}

Status ProxyProcess::start() {
  thread_ = std::thread([this] { supervise(); });
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kStartTime + kEndTime, [this] { return commands_ != nullptr || not_started_; });
  if (commands_) return {};
  const auto why = not_started_.value_or(Error(Code::kUnavailable, "it does not answer"));
  const auto tail = file_tail(settings_.log, kTailLines);
  return make_error(why.code(), "cannot start the TEE proxy: {}{}{}", why.message(),
                    tail.empty() ? "" : fmt::format("; the end of {}:\n", settings_.log.string()), tail);
}

void ProxyProcess::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    if (commands_) commands_->shutdown(); // the proxy ends when its commands do
    if (!commands_ && pid_ > 0) ::kill(pid_, SIGKILL);
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ProxyProcess::supervise() {
  instance_manager::Backoff backoff({});
  for (bool first = true;;) {
    auto child = spawn();
    if (child) {
      {
        const std::scoped_lock lock(mutex_);
        commands_ = std::make_shared<Commands>(std::move(child->lines.commands));
        silent_since_.reset();
        if (stopping_) commands_->shutdown();
      }
      changed_.notify_all();
      if (!std::exchange(first, false)) {
        events_.on_restarted();
        const auto restored = restore_identity();
        if (!restored) spdlog::error("the new TEE proxy does not take its identity: {}", restored.error().message());
        if (!restored && restored.error().code() == Code::kDeadlineExceeded) replace(current());
      }
      run(*std::move(child));
    } else {
      spdlog::error("cannot start the TEE proxy: {}", child.error().message());
      const std::scoped_lock lock(mutex_);
      not_started_ = child.error();
      changed_.notify_all();
    }
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, backoff.next(instance_manager::random_unit()), [this] { return stopping_; })) return;
  }
}

/// Serves a proxy to its end.
void ProxyProcess::run(Child child) {
  std::thread authority([this, &child] { serve(*child.lines.authority); });
  serve(*child.lines.events);
  child.lines.authority->shutdown();
  authority.join();
  note_process(-1); // from here on the number is this thread's alone
  const auto status = end_process(child.process, kEndTime);
  const std::scoped_lock lock(mutex_);
  commands_.reset();
  slots_.clear();
  last_end_ = describe_exit(status);
  changed_.notify_all();
  if (stopping_) return;
  spdlog::error("the TEE proxy {}; starting another; its log is {}", last_end_, settings_.log.string());
}

Result<ProxyProcess::Child> ProxyProcess::spawn() {
  TCFDL_ASSIGN(auto channel, settings_.over_tcp ? loopback_lines() : inherited_lines());
  ProcessOrder order{.command = settings_.command, .environment = channel->environment(), .log = settings_.log};
  TCFDL_ASSIGN(order.command.front(), find_program(order.command.front()));
  order.environment.push_back("TCFDL_NODE=" + settings_.node);
  order.environment.push_back("TCFDL_PROXY=" + wire::to_string(settings_.instances));
  order.prepare = [&channel] { channel->hand_over(); };
  TCFDL_ASSIGN(auto process, start_process(order));
  note_process(process.pid);
  auto lines = channel->take(process, Deadline::after(kStartTime));
  if (lines) return Child{std::move(process), *std::move(lines)};
  note_process(-1);
  const auto status = end_process(process, kEndTime);
  return make_error(lines.error().code(), "{}: {}; it {}", settings_.command.front(), lines.error().message(),
                    describe_exit(status));
}

/// So that `stop` need not wait for its lines.
void ProxyProcess::note_process(pid_t pid) {
  const std::scoped_lock lock(mutex_);
  pid_ = pid;
  if (stopping_ && pid > 0) ::kill(pid, SIGKILL);
}

void ProxyProcess::serve(wire::Connection& events) {
  for (;;) {
    const auto event = wire::receive_message<wire::ProxyEvent>(events, Deadline::after(hours(24)));
    if (!event && event.error().code() == Code::kDeadlineExceeded) continue;
    if (!event) return;
    wire::ProxyEventReply reply;
    if (event->has_exited()) events_.on_exited(event->exited());
    if (event->has_spans()) events_.on_spans(event->spans());
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
  if (!commands) return;
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

Result<wire::ProxyFigures> ProxyProcess::figures(Deadline deadline) {
  wire::ProxyCommand message;
  message.mutable_figures();
  TCFDL_ASSIGN(const auto reply, command(message, deadline));
  return reply.figures();
}

Result<wire::LaunchedInstance> ProxyProcess::launch(const wire::LaunchInstance& order, Deadline deadline) {
  wire::ProxyCommand message;
  *message.mutable_launch() = order;
  const auto reply = command(message, deadline);
  // What is given up may start nevertheless, and nobody would know of it.
  if (!reply && reply.error().code() == Code::kDeadlineExceeded) (void)kill(InstanceId(order.instance()));
  if (!reply) return reply.error();
  return reply->launched();
}

Status ProxyProcess::kill(const InstanceId& instance) {
  wire::ProxyCommand message;
  message.mutable_kill()->set_instance(instance.str());
  TCFDL_TRY(command(message, Deadline::after(seconds(10))));
  return {};
}

} // namespace tcfdl::node
