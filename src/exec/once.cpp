#include "exec/once.hpp"

#include "base/clock.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <sysexits.h>

namespace tcfdl::exec {
namespace {

constexpr std::size_t kPipePiece = std::size_t{64} * 1024;

Environment task_environment(const TaskContext& task) {
  auto environment = program_environment();
  environment.push_back("TCFDL_TASK_ID=" + task.task_id());
  environment.push_back("TCFDL_CALLER=" + task.caller());
  environment.push_back("TCFDL_CONTENT_TYPE=" + task.content_type());
  if (const auto* message = task.message()) {
    environment.push_back("TCFDL_TOPIC=" + message->topic);
    environment.push_back("TCFDL_MESSAGE_ID=" + message->id);
    environment.push_back(fmt::format("TCFDL_MESSAGE_SEQUENCE={}", message->sequence));
    environment.push_back(fmt::format("TCFDL_DELIVERY={}", message->delivery));
  }
  environment.push_back(fmt::format("TCFDL_DEADLINE_MS={}", unix_millis() + task.time_left().count()));
  return environment;
}

/// Whether all was written; not so when the program reads no more or the task ends.
bool write_input(const Process& process, BytesView piece, const Interrupt& interrupt) {
  while (!piece.empty()) {
    const auto written = ::write(process.input(), piece.data(), piece.size());
    if (written >= 0) {
      piece = piece.subspan(static_cast<std::size_t>(written));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    std::array<pollfd, 1> entry{{{process.input(), POLLOUT, 0}}};
    if (!interrupt.wait(entry)) return false;
  }
  return true;
}

/// Moves the body to the program. The end of a body that failed is never shown to it as the end of the body.
Status feed(BodyReader& body, Process& process, const Interrupt& interrupt) {
  Bytes piece(kPipePiece);
  for (;;) {
    TCFDL_ASSIGN(const auto size, body.read(piece));
    if (size == 0) {
      process.close_input();
      return {};
    }
    if (!write_input(process, BytesView(piece).first(size), interrupt)) return {};
  }
}

/// Keeps the first bytes of a result until there are more of them or the result is known to be good.
class HeldBack {
public:
  explicit HeldBack(BodyWriter& to) : to_(to) {}

  Status write(BytesView piece) {
    if (!passing_ && held_.size() + piece.size() <= kPipePiece) {
      held_.insert(held_.end(), piece.begin(), piece.end());
      return {};
    }
    TCFDL_TRY(release());
    return to_.write(piece);
  }

  Status release() {
    if (std::exchange(passing_, true) || held_.empty()) return {};
    return to_.write(held_);
  }

private:
  BodyWriter& to_;
  Bytes held_;
  bool passing_ = false;
};

/// Moves the program's output until the program has ended and its output is used up.
Status collect(const Process& process, HeldBack& result, const Interrupt& interrupt) {
  Bytes piece(kPipePiece);
  std::array<pollfd, 2> entries{{{process.output(), POLLIN, 0}, {process.exited(), POLLIN, 0}}};
  for (;;) {
    TCFDL_TRY(interrupt.wait(entries));
    if (entries[0].revents == 0) return {};
    const auto got = ::read(process.output(), piece.data(), piece.size());
    if (got == 0) entries[0].fd = -1; // it closed its output; what is left is to await its end
    if (got > 0) TCFDL_TRY(result.write(BytesView(piece).first(static_cast<std::size_t>(got))));
  }
}

Status judge(const Exit& exit, const std::string& program, const Process& process) {
  if (exit.succeeded()) return {};
  const auto what = fmt::format("{} ended with {}", program, exit.describe());
  // Nobody here has killed it before it ended by itself.
  if (exit.signal == SIGKILL) {
    return Error(Code::kResourceExhausted,
                 with_last_words(what + ", as the system ends a program that is over the memory limit", process));
  }
  if (exit.signal == SIGSYS) {
    return Error(Code::kPermissionDenied, with_last_words(what + ": a call that the sandbox refuses", process));
  }
  const bool refused = exit.signal == 0 && (exit.code == EX_USAGE || exit.code == EX_DATAERR);
  return Error(refused ? Code::kInvalidArgument : Code::kInternal, with_last_words(what, process));
}

} // namespace

Status Once::run(TaskContext& task, BodyReader& body, BodyWriter& result) {
  const Interrupt interrupt(task.cancelled(), Deadline::after(task.time_left()));
  TCFDL_ASSIGN(const auto process, launcher_.start(command_, task_environment(task)));
  Status fed;
  std::jthread feeder([&] {
    fed = feed(body, *process, interrupt);
    if (!fed) interrupt.raise();
  });
  HeldBack held(result);
  const auto collected = collect(*process, held, interrupt);
  const auto exit = process->end();
  interrupt.raise();
  feeder.join();
  TCFDL_TRY(fed);
  TCFDL_TRY(collected);
  TCFDL_TRY(judge(exit, command_[0], *process));
  return held.release();
}

} // namespace tcfdl::exec
