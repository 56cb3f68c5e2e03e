#include "exec/pool.hpp"

#include "base/log.hpp"

#include <array>

namespace tcfdl::exec {
namespace {

/// How long a program that closed its stdout may take to end, so that its exit code is known.
constexpr std::chrono::seconds kToEnd{1};

/// Neither ended nor said anything since its last answer.
bool is_quiet(const Process& process) {
  std::array<pollfd, 2> entries{{{process.output(), POLLIN, 0}, {process.exited(), POLLIN, 0}}};
  return ::poll(entries.data(), entries.size(), 0) == 0;
}

bool ends_by_itself(const Process& process) {
  std::array<pollfd, 1> entry{{{process.exited(), POLLIN, 0}}};
  return bool(Interrupt({}, Deadline::after(kToEnd)).wait(entry));
}

} // namespace

Result<Bytes> Pool::run(TaskContext& task, BytesView body) {
  if (body.size() > limits_.body) {
    return make_error(Code::kResourceExhausted, "the body has {} bytes; at most {}", body.size(), limits_.body);
  }
  const Interrupt interrupt(task.cancelled(), Deadline::after(task.time_left()));
  TCFDL_ASSIGN(auto process, take());
  Exchange exchange(*process, interrupt, limits_);
  auto answer = exchange.run(request_head(task, body.size()), body);
  if (!answer) return explain(answer.error(), exchange, *process);
  if (answer->in_step) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(process));
  }
  if (auto refusal = std::move(answer->refusal)) return *std::move(refusal);
  return std::move(answer->body);
}

Result<std::unique_ptr<Process>> Pool::take() {
  while (auto process = take_idle()) {
    if (is_quiet(*process)) return process;
    const auto exit = process->end();
    spdlog::warn("{} ended or wrote without a task, now {}; starting it again", command_[0], exit.describe());
  }
  return launcher_.start(command_, program_environment());
}

std::unique_ptr<Process> Pool::take_idle() {
  const std::scoped_lock lock(mutex_);
  if (idle_.empty()) return nullptr;
  auto process = std::move(idle_.back());
  idle_.pop_back();
  return process;
}

Error Pool::explain(const Error& error, const Exchange& exchange, Process& process) const {
  if (error.code() != Code::kInternal) return error;
  auto what = error.message();
  if (exchange.program_ended()) {
    const bool by_itself = ends_by_itself(process);
    const auto exit = process.end();
    what = by_itself ? fmt::format("{} ended in the middle of a task with {}", command_[0], exit.describe())
                     : fmt::format("{} closed its stdout in the middle of a task and was killed", command_[0]);
  }
  (void)process.end();
  return {Code::kInternal, with_last_words(std::move(what), process)};
}

} // namespace tcfdl::exec
