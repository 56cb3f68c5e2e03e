#include "exec/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>

namespace tcfdl::exec {
namespace {

/// How often the pipe of a dead program is read: it holds less, and a descendant that lives on may write for ever.
constexpr int kReadsAfterEnd = 64;

void pass_on(std::string_view piece) {
  while (!piece.empty()) {
    const auto written = ::write(STDERR_FILENO, piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    piece.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

char printable(char byte) {
  const bool control = (byte >= 0 && byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7F;
  return control ? '?' : byte;
}

} // namespace

std::string Exit::describe() const {
  if (signal == 0) return fmt::format("exit code {}", code);
  const char* name = ::sigdescr_np(signal);
  return fmt::format("signal {} ({})", signal, name == nullptr ? "unknown" : name);
}

LastWords::LastWords(UniqueFd pipe) : pipe_(std::move(pipe)), thread_([this] { pump(); }) {}

void LastWords::finish() {
  if (!thread_.joinable()) return;
  stop_.raise();
  thread_.join();
  pipe_.reset();
}

void LastWords::pump() {
  std::array<char, 4096> piece{};
  for (int reads = 0; reads < kReadsAfterEnd;) {
    std::array<pollfd, 2> entries{{{pipe_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}}};
    if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
    const bool stopping = entries[1].revents != 0;
    const auto got = ::read(pipe_.get(), piece.data(), piece.size());
    if (got == 0 || (got < 0 && stopping)) return;
    if (got < 0) continue;
    if (stopping) ++reads;
    const std::string_view text(piece.data(), static_cast<std::size_t>(got));
    keep(text);
    pass_on(text);
  }
}

void LastWords::keep(std::string_view piece) {
  const std::scoped_lock lock(mutex_);
  kept_ += piece;
  if (kept_.size() > kKept) kept_.erase(0, kept_.size() - kKept);
}

std::string LastWords::text() const {
  std::string text;
  {
    const std::scoped_lock lock(mutex_);
    text = kept_;
  }
  text.erase(text.begin(), std::ranges::find_if_not(text, is_continuation));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::ranges::transform(text, text.begin(), printable);
  return text;
}

Process::Process(pid_t pid, UniqueFd exited, Pipes pipes)
    : pid_(pid), exited_(std::move(exited)), input_(std::move(pipes.input)), output_(std::move(pipes.output)),
      words_(std::move(pipes.errors)) {}

Exit Process::end() {
  if (std::exchange(ended_, true)) return exit_;
  // Not yet waited for: neither the process number nor the group's can belong to anybody else.
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_ = WIFSIGNALED(status) ? Exit{0, WTERMSIG(status)} : Exit{WEXITSTATUS(status), 0};
  words_.finish();
  return exit_;
}

std::string with_last_words(std::string what, const Process& process) {
  const auto words = process.last_words();
  return words.empty() ? std::move(what) : fmt::format("{}; its stderr ends with: {}", what, words);
}

} // namespace tcfdl::exec
