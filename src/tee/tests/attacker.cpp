// Tries what a sandbox refuses. Each argument is an attempt, as NAME or NAME=ARGUMENT, made in a process of its own;
// for each a line says `NAME: done`, `NAME: errno N (TEXT)` or `NAME: signal N`.
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <sched.h>
#include <string>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Attempt = std::function<long(const std::string&)>;

long open_for(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd;
}

/// Fails with the errno of what holds where the wanted state does not.
long demand(bool holds, int otherwise) {
  if (holds) return 0;
  errno = otherwise;
  return -1;
}

long read_other_memory(const std::string& pid) {
  char byte = 0;
  iovec here{&byte, 1};
  iovec there{reinterpret_cast<void*>(0x400000), 1};
  return ::syscall(SYS_process_vm_readv, std::stoi(pid), &here, 1, &there, 1, 0);
}

long eat(const std::string& mebibytes) {
  const std::size_t size = std::stoul(mebibytes) << 20U;
  auto* const memory =
      static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return -1;
  for (std::size_t at = 0; at < size; at += 4096) memory[at] = 1;
  return 0;
}

bool has_capability() {
  for (int capability = 0; capability < 41; ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability) == 1) return true;
  }
  return false;
}

long core_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  return demand(limit.rlim_max == 0, EPERM);
}

long connect_abstract(const std::string& name) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  struct {
    sa_family_t family = AF_UNIX;
    char path[108]{};
  } address;
  std::memcpy(address.path + 1, name.data(), name.size());
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size()));
}

long execute(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    const int in = ::open("/bin/true", O_RDONLY);
    const int out = ::open(path.c_str(), O_WRONLY | O_CREAT, 0700);
    char buffer[65536];
    for (ssize_t got = 0; (got = ::read(in, buffer, sizeof(buffer))) > 0;) {
      if (::write(out, buffer, static_cast<std::size_t>(got)) != got) return -1;
    }
    ::close(out);
  }
  return ::execl(path.c_str(), path.c_str(), nullptr);
}

/// Opens a confidential file as the SDK does, and reads it where a function does.
long open_confidential(const std::string& path) {
  const int out = ::open(("/confidential/" + path).c_str(), O_WRONLY | O_TRUNC);
  if (out < 0 || ::write(out, "opened", 6) != 6) return -1;
  const int in = ::open(("/bundle/" + path).c_str(), O_RDONLY);
  char content[16]{};
  return demand(in >= 0 && ::read(in, content, sizeof(content)) == 6 && std::string(content) == "opened", EIO);
}

long fill(const std::string& path) {
  const int out = ::open(path.c_str(), O_WRONLY | O_TRUNC);
  const std::vector<char> piece(4096);
  for (int i = 0; i < 65536; ++i) {
    if (::write(out, piece.data(), piece.size()) < 0) return -1;
  }
  return 0;
}

const std::map<std::string, Attempt>& attempts() {
  static const std::map<std::string, Attempt> kAll{
      {"nothing", [](const auto&) { return 0L; }},
      {"ptrace", [](const auto&) { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"process_vm_readv", read_other_memory},
      {"mount", [](const auto&) { return static_cast<long>(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }},
      {"umount", [](const auto& path) { return static_cast<long>(::umount2(path.c_str(), MNT_DETACH)); }},
      {"keyctl", [](const auto&) { return ::syscall(SYS_keyctl, 0, -3, 0); }},
      {"bpf", [](const auto&) { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"kexec", [](const auto&) { return ::syscall(SYS_kexec_load, 0, 0, nullptr, 0); }},
      {"perf", [](const auto&) { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
      {"setns", [](const auto&) { return ::syscall(SYS_setns, 0, 0); }},
      {"unshare_user", [](const auto&) { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
      {"clone_user",
       [](const auto&) {
         const auto pid = ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
         if (pid == 0) ::_exit(0);
         return pid;
       }},
      {"clone3", [](const auto&) { return ::syscall(SYS_clone3, nullptr, 0); }},
      {"new_call", [](const auto&) { return ::syscall(499); }},
      {"packet_socket", [](const auto&) { return static_cast<long>(::socket(AF_PACKET, SOCK_RAW, 0)); }},
      {"inet_socket", [](const auto&) { return static_cast<long>(::socket(AF_INET, SOCK_STREAM, 0)); }},
      {"read", [](const auto& path) { return open_for(path, O_RDONLY); }},
      {"write", [](const auto& path) { return open_for(path, O_WRONLY | O_CREAT); }},
      {"open_confidential", open_confidential},
      {"fill", fill},
      {"execute", execute},
      {"kill", [](const auto& pid) { return static_cast<long>(::kill(std::stoi(pid), SIGKILL)); }},
      {"abstract", connect_abstract},
      {"eat", eat},
      {"is_not_root", [](const auto&) { return demand(::geteuid() != 0, EPERM); }},
      {"has_no_capability", [](const auto&) { return demand(!has_capability(), EPERM); }},
      {"has_no_core", [](const auto&) { return core_limit(); }},
      {"gains_nothing", [](const auto&) { return demand(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, EPERM); }},
  };
  return kAll;
}

void try_one(const std::string& argument) {
  const auto equals = argument.find('=');
  const auto name = argument.substr(0, equals);
  const auto given = equals == std::string::npos ? std::string() : argument.substr(equals + 1);
  const auto found = attempts().find(name);
  if (found == attempts().end()) {
    std::printf("%s: unknown\n", argument.c_str());
    return;
  }
  std::fflush(stdout);
  const auto child = ::fork();
  if (child == 0) {
    errno = 0;
    const long returned = found->second(given);
    ::_exit(returned < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    std::printf("%s: signal %d\n", argument.c_str(), WTERMSIG(status));
  } else if (WEXITSTATUS(status) == 0) {
    std::printf("%s: done\n", argument.c_str());
  } else {
    std::printf("%s: errno %d (%s)\n", argument.c_str(), WEXITSTATUS(status), std::strerror(WEXITSTATUS(status)));
  }
}

} // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) try_one(argv[i]);
  return 0;
}
