#include "support/process.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tcfdl::test {
namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(fds, O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int end) {
    if (fds[end] >= 0) ::close(fds[end]);
    fds[end] = -1;
  }
  int fds[2];
};

pid_t spawn(const std::vector<std::string>& command, const Environment& environment, int in, int out, int err) {
  std::vector<char*> arguments;
  for (const auto& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  const auto pid = ::fork();
  if (pid < 0) std::abort();
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execvp(arguments[0], arguments.data());
  std::fprintf(stderr, "cannot execute %s: %s\n", arguments[0], std::strerror(errno));
  ::_exit(127);
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

} // namespace

Finished run(const std::vector<std::string>& command, const Environment& environment, const std::string& input,
             std::chrono::seconds limit) {
  Pipe in;
  Pipe out;
  Pipe err;
  ::signal(SIGPIPE, SIG_IGN);
  const auto pid = spawn(command, environment, in.fds[0], out.fds[1], err.fds[1]);
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  ::fcntl(in.fds[1], F_SETFL, O_NONBLOCK);
  Finished finished;
  std::size_t sent = 0;
  if (input.empty()) in.close_end(1);
  const auto end = std::chrono::steady_clock::now() + limit;
  bool open[2] = {true, true};
  while (open[0] || open[1]) {
    pollfd entries[3] = {
        {open[0] ? out.fds[0] : -1, POLLIN, 0}, {open[1] ? err.fds[0] : -1, POLLIN, 0}, {in.fds[1], POLLOUT, 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0 || ::poll(entries, 3, static_cast<int>(left)) == 0) {
      ::kill(-pid, SIGKILL);
      break;
    }
    for (int i = 0; i < 2; ++i) {
      if (entries[i].revents == 0) continue;
      char buffer[65536];
      const auto got = ::read(entries[i].fd, buffer, sizeof(buffer));
      if (got <= 0) {
        open[i] = false;
      } else {
        (i == 0 ? finished.out : finished.err).append(buffer, static_cast<std::size_t>(got));
      }
    }
    if (entries[2].fd >= 0 && entries[2].revents != 0) {
      const auto wrote = ::write(in.fds[1], input.data() + sent, input.size() - sent);
      if (wrote > 0) sent += static_cast<std::size_t>(wrote);
      if (wrote < 0 || sent == input.size()) in.close_end(1);
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  finished.exit_code = code_of(status);
  return finished;
}

Background::Background(const std::vector<std::string>& command, const Environment& environment,
                       const std::string& log) {
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_ = spawn(command, environment, in, out, out);
  ::close(out);
  ::close(in);
}

Background::~Background() {
  if (ended_) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Background::signal(int number) const { ::kill(pid_, number); }

int Background::wait(std::chrono::seconds limit) {
  int status = 0;
  const bool over = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, limit);
  if (!over) return -1;
  ended_ = true;
  return code_of(status);
}

bool is_alive(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return false;
  const auto after = text.rfind(')');
  return after != std::string::npos && after + 2 < text.size() && text[after + 2] != 'Z';
}

} // namespace tcfdl::test
