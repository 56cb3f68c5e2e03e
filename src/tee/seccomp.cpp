#include "tee/seccomp.hpp"

#include "base/fd.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sstream>
#include <sys/mman.h>
#include <sys/socket.h>

namespace tcfdl::tee {
namespace {

constexpr std::string_view kMemoryCalls =
    "brk madvise membarrier mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap "
    "pkey_alloc pkey_free pkey_mprotect get_mempolicy set_mempolicy mbind memfd_create memfd_secret cachestat "
    "mseal";
constexpr std::string_view kFileCalls =
    "access chdir chmod chown fchown fchownat lchown mknod mknodat sync close close_range copy_file_range creat dup "
    "dup2 dup3 faccessat faccessat2 fadvise64 "
    "fallocate fchdir fchmod fchmodat fchmodat2 fcntl fdatasync fgetxattr flistxattr flock fstat fstatfs fsync "
    "ftruncate futimesat getcwd getdents getdents64 getxattr lgetxattr link linkat listxattr llistxattr lseek "
    "lstat mkdir mkdirat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read "
    "readahead readlink readlinkat readv rename renameat renameat2 rmdir sendfile splice stat statfs statx "
    "symlink symlinkat sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice "
    "write writev ioctl inotify_add_watch inotify_init inotify_init1 inotify_rm_watch pipe pipe2";
constexpr std::string_view kWaitingCalls =
    "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll ppoll "
    "pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime";
constexpr std::string_view kNetworkCalls =
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg "
    "sendmsg sendto setsockopt shutdown socketpair";
constexpr std::string_view kProcessCalls =
    "alarm arch_prctl capget execve execveat exit exit_group fork futex futex_waitv get_robust_list getcpu "
    "getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit "
    "getrusage getsid gettid getuid ioprio_get kill pause pidfd_open pidfd_send_signal prctl prlimit64 "
    "restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
    "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr "
    "sched_setparam sched_setscheduler sched_yield set_robust_list set_tid_address setgid setgroups setitimer "
    "getitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack "
    "tgkill tkill vfork wait4 waitid landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp "
    "map_shadow_stack";
constexpr std::string_view kTimeAndSystemCalls =
    "clock_getres clock_gettime clock_nanosleep getrandom gettimeofday nanosleep sysinfo time timer_create "
    "timer_delete timer_getoverrun timer_gettime timer_settime times uname mq_getsetattr mq_notify mq_open "
    "mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat "
    "shmctl shmdt shmget";

/// What no function has a use for, and an attacker first of all.
constexpr std::string_view kDeadlyCalls =
    "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp mount umount2 pivot_root chroot "
    "move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr setns bpf perf_event_open userfaultfd "
    "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff iopl ioperm add_key "
    "request_key keyctl open_by_handle_at name_to_handle_at acct quotactl quotactl_fd settimeofday clock_settime "
    "adjtimex clock_adjtime sethostname setdomainname syslog vhangup lookup_dcookie nfsservctl fanotify_init "
    "modify_ldt";

/// The last call that any Linux knows, with room; those that libseccomp has no name for are newer than these lists.
constexpr int kLastNumber = 511;
constexpr int kFirstNewNumber = 424; // from here on all architectures count alike

constexpr std::uint64_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct FilterDeleter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterDeleter>;

Status check(int returned, std::string_view what) {
  if (returned == 0) return {};
  return make_error(Code::kInternal, "the filter of system calls cannot be made: {}: {}", what,
                    std::strerror(-returned));
}

/// Names that this architecture or this libseccomp does not know need no rule: they fail as unlisted.
Status add(const Filter& filter, std::uint32_t action, std::string_view names) {
  std::istringstream words{std::string(names)};
  for (std::string name; words >> name;) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number < 0) continue;
    TCFDL_TRY(check(seccomp_rule_add_array(filter.get(), action, number, 0, nullptr), name));
  }
  return {};
}

Status allow_if(const Filter& filter, const char* name, const scmp_arg_cmp& condition) {
  return check(seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 1, &condition),
               name);
}

/// Calls that depend on their arguments.
Status add_conditions(const Filter& filter) {
  // clone without new namespaces; clone3 hides its flags in memory, so programs are told to use clone.
  TCFDL_TRY(allow_if(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, kNewNamespaces, 0)));
  TCFDL_TRY(check(
      seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name("clone3"), 0, nullptr),
      "clone3"));
  for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
    TCFDL_TRY(allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))));
  }
  // Resolvers ask the kernel for addresses: route netlink, which is protocol 0.
  const std::array netlink{SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, 0)};
  TCFDL_TRY(check(seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, seccomp_syscall_resolve_name("socket"),
                                         netlink.size(), netlink.data()),
                  "socket"));
  for (const std::uint64_t persona : {0UL, 0xFFFFFFFFUL}) {
    TCFDL_TRY(allow_if(filter, "personality", SCMP_A0(SCMP_CMP_EQ, persona)));
  }
  return {};
}

/// Programs that try a newer call first must see an older kernel, not a refusal.
Status refuse_newer_calls(const Filter& filter) {
  for (int number = kFirstNewNumber; number <= kLastNumber; ++number) {
    const std::unique_ptr<char, void (*)(void*)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number),
                                                      [](void* text) { std::free(text); });
    if (name) continue;
    TCFDL_TRY(check(seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ENOSYS), number, 0, nullptr), "a newer call"));
  }
  return {};
}

Result<std::string> read_program(const Filter& filter) {
  const UniqueFd memory(::memfd_create("filter", MFD_CLOEXEC));
  TCFDL_TRY(check(memory.valid() ? 0 : -errno, "memory for it"));
  TCFDL_TRY(check(seccomp_export_bpf(filter.get(), memory.get()), "exporting it"));
  std::string program(static_cast<std::size_t>(::lseek(memory.get(), 0, SEEK_END)), '\0');
  const auto got = ::pread(memory.get(), program.data(), program.size(), 0);
  TCFDL_TRY(check(got == static_cast<ssize_t>(program.size()) ? 0 : -EIO, "reading it"));
  return program;
}

} // namespace

Result<std::string> make_system_call_filter() {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return Error(Code::kInternal, "libseccomp makes no filter");
  seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree
  for (const auto names :
       {kMemoryCalls, kFileCalls, kWaitingCalls, kNetworkCalls, kProcessCalls, kTimeAndSystemCalls}) {
    TCFDL_TRY(add(filter, SCMP_ACT_ALLOW, names));
  }
  TCFDL_TRY(add(filter, SCMP_ACT_KILL_PROCESS, kDeadlyCalls));
  TCFDL_TRY(add_conditions(filter));
  TCFDL_TRY(refuse_newer_calls(filter));
  return read_program(filter);
}

} // namespace tcfdl::tee
