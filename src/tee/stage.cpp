#include "tee/stage.hpp"

#include "base/file.hpp"
#include "tee/view.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace tcfdl::tee {
namespace {

constexpr rlim_t kMostProcesses = 4096;
constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID;

struct Descriptors {
  int plan = -1;
  int program = -1;
  int report = -1;
};

void tell(int report, const std::string& line) { (void)!::write(report, line.data(), line.size()); }

[[noreturn]] void give_up(int report, const Error& error) {
  tell(report, fmt::format("error {} {}\n", static_cast<int>(error.code()), error.message()));
  ::_exit(126);
}

/// Dies with the thread that started the stage; at once when it is dead already, which closed the pipe's other end.
Status die_with_parent(int report) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno_error("cannot die with", "the proxy");
  pollfd entry{report, 0, 0};
  if (::poll(&entry, 1, 0) > 0 && (entry.revents & POLLERR) != 0) ::_exit(126);
  return {};
}

Status write_control(const char* path, const std::string& text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || ::write(fd.get(), text.data(), text.size()) < 0) return errno_error("cannot write", path);
  return {};
}

/// A user namespace in which this process is the user kInnerUser and nobody else is (user_namespaces(7)).
Status enter_user_namespace(int more) {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWUSER | more) != 0) {
    return errno_error("the kernel makes no", "user namespace (sysctl kernel.unprivileged_userns_clone, "
                                              "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; "
                                              "in a container, its seccomp profile)");
  }
  TCFDL_TRY(write_control("/proc/self/setgroups", "deny"));
  TCFDL_TRY(write_control("/proc/self/gid_map", fmt::format("{} {} 1", kInnerUser, group)));
  return write_control("/proc/self/uid_map", fmt::format("{} {} 1", kInnerUser, user));
}

/// Becomes another user of this machine; capabilities stay until they are dropped.
Status change_user(unsigned user) {
  (void)::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0) {
    return errno_error("cannot become the user", std::to_string(user));
  }
  ::prctl(PR_SET_DUMPABLE, 1); // its /proc/self is its own again, to write the maps of a user namespace
  return {};
}

Status drop_privileges() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability); // refused to those who have no capabilities to lose
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return errno_error("cannot drop", "capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error("cannot set", "no_new_privs");
  return {};
}

Status install_filter(const std::string& filter) {
  if (filter.empty()) return {};
  sock_fprog program{};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return {};
  return errno_error("the kernel does not take", "the filter of system calls");
}

void limit(__rlimit_resource resource, rlim_t most) {
  rlimit current{};
  ::getrlimit(resource, &current);
  const rlim_t value = std::min(current.rlim_max, most);
  const rlimit wanted{value, value};
  ::setrlimit(resource, &wanted);
}

std::vector<char*> pointers(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<char*> result;
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// In the program's process, from fork to exec.
Status become_program(const wire::LaunchPlan& plan, const Descriptors& fds) {
  // When memory runs out the program goes: before the first process of its namespace, and before the daemons.
  (void)write_control("/proc/self/oom_score_adj", "1000");
  if (plan.namespaces()) {
    TCFDL_TRY(build_view(plan));
    if (::sethostname("instance", 8) != 0) return errno_error("cannot set", "the host name");
    if (plan.user() != 0) {
      TCFDL_TRY(change_user(plan.user()));
      TCFDL_TRY(enter_user_namespace(0));
    }
  }
  TCFDL_TRY(drop_privileges());
  TCFDL_TRY(die_with_parent(fds.report)); // after the change of user, which forgets it
  limit(RLIMIT_CORE, 0);
  if (plan.namespaces()) limit(RLIMIT_NPROC, plan.processes() != 0 ? plan.processes() : kMostProcesses);
  if (plan.data_limit() != 0) limit(RLIMIT_DATA, plan.data_limit());
  const auto& directory = plan.namespaces() && !plan.bundle().empty() ? std::string(kBundle) : plan.bundle();
  if (!directory.empty() && ::chdir(directory.c_str()) != 0) return errno_error("cannot enter", directory);
  if (plan.landlock()) TCFDL_TRY(restrict_files(view_rules(plan)));
  const auto arguments = pointers(plan.arguments());
  const auto environment = pointers(plan.environment());
  TCFDL_TRY(install_filter(plan.filter()));
  if (plan.probe()) ::_exit(0);
  ::fexecve(fds.program, arguments.data(), environment.data());
  return errno_error("cannot execute", plan.arguments(0));
}

/// The first process of the namespace: no descriptors, no privileges, nothing to do but to collect orphans.
[[noreturn]] void be_first(const wire::LaunchPlan& plan, int report) {
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  const auto& filter = plan.filter();
  if (plan.user() != 0) (void)change_user(plan.user());
  ::prctl(PR_SET_DUMPABLE, 0);
  if (!drop_privileges() || !die_with_parent(report)) ::_exit(126);
  ::close_range(0, ~0U, 0);
  if (!install_filter(filter)) ::_exit(126);
  for (;;) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::sigwaitinfo(&children, nullptr);
  }
}

/// A fork whose child is the child of this process's parent. Its process id here, 0 in the child.
pid_t fork_beside() { return static_cast<pid_t>(::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)); }

Status run(const wire::LaunchPlan& plan, const Descriptors& fds) {
  if (!plan.namespaces()) return become_program(plan, fds);
  if (plan.user() != 0) {
    if (::unshare(kNamespaces) != 0) return errno_error("the kernel makes no", "namespaces");
  } else {
    TCFDL_TRY(enter_user_namespace(kNamespaces));
  }
  if (::chdir("/") != 0) return errno_error("cannot enter", "/");
  const auto first = fork_beside();
  if (first == 0) be_first(plan, fds.report);
  if (first < 0) return errno_error("cannot start", "the first process of the namespace");
  const auto program = fork_beside();
  if (program == 0) give_up(fds.report, become_program(plan, fds).error());
  if (program > 0) {
    tell(fds.report, fmt::format("pid {}\n", program));
    return {};
  }
  const auto failure = errno_error("cannot start", "the program's process");
  ::kill(first, SIGKILL);
  return failure;
}

Result<wire::LaunchPlan> read_plan(int fd) {
  const auto size = ::lseek(fd, 0, SEEK_END);
  Bytes content(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (::pread(fd, content.data(), content.size(), 0) != size) return errno_error("cannot read", "the plan");
  return wire::parse<wire::LaunchPlan>(content);
}

int number_of(const char* text) {
  int number = -1;
  const std::string_view view(text);
  std::from_chars(view.data(), view.data() + view.size(), number);
  return number;
}

} // namespace

StageReport parse_stage_report(const std::string& text) {
  StageReport report;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string kind;
    int number = 0;
    fields >> kind >> number;
    if (kind == "pid") report.pid = number;
    if (kind != "error") continue;
    std::string message;
    std::getline(fields >> std::ws, message);
    report.error.emplace(code_from_number(static_cast<std::uint32_t>(number)), message);
  }
  return report;
}

void run_stage_if_asked(int argc, char** argv) {
  if (argc != 5 || argv[1] != kStageArgument) return;
  const Descriptors fds{number_of(argv[2]), number_of(argv[3]), number_of(argv[4])};
  for (const int fd : {fds.plan, fds.program, fds.report}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  const auto plan = read_plan(fds.plan);
  if (!plan) give_up(fds.report, plan.error());
  const auto done = run(*plan, fds);
  if (!done) give_up(fds.report, done.error());
  ::_exit(0); // nothing to tidy up: it was a stage
}

} // namespace tcfdl::tee
