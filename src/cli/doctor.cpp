#include "cli/doctor.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <linux/landlock.h>
#include <optional>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace tcfdl::cli {
namespace {

constexpr std::uint64_t kWantedFiles = 4096;
constexpr std::size_t kLargestText = std::size_t{1} << 20U;

/// Tries in a process of its own, which ends with it.
bool can_unshare_user() {
  const auto child = ::fork();
  if (child < 0) return false;
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool has_memfd_secret() {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_memfd_secret, 0U)));
  return fd.valid();
}

int find_landlock_abi() {
  const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

std::uint64_t open_file_limit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

std::vector<std::filesystem::path> split_path(std::string_view path) {
  std::vector<std::filesystem::path> directories;
  while (!path.empty()) {
    const auto end = std::min(path.find(':'), path.size());
    if (end > 0) directories.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return directories;
}

/// Makes the list: each function adds the pieces of one kind.
class Examination {
public:
  explicit Examination(const Machine& machine) : machine_(machine) {}

  std::vector<Piece> run() {
    software();
    sandbox();
    memory();
    sgx();
    confidential_vm("tdx", "tdx_guest", "/dev/tdx_guest", "tdx-guest", "an Intel TDX guest");
    confidential_vm("snp", "sev_snp", "/dev/sev-guest", "sev-guest", "an AMD SEV-SNP guest");
    return std::move(pieces_);
  }

private:
  void add(Piece piece) { pieces_.push_back(std::move(piece)); }

  [[nodiscard]] std::filesystem::path at(const std::filesystem::path& path) const {
    return machine_.root / path.relative_path();
  }
  [[nodiscard]] bool exists(const std::filesystem::path& path) const {
    std::error_code ignored;
    return std::filesystem::exists(at(path), ignored);
  }
  [[nodiscard]] std::string text(const std::filesystem::path& path) const {
    return read_text_file(at(path), kLargestText).value_or(std::string());
  }
  [[nodiscard]] std::string find_program(const std::string& name) const {
    std::error_code ignored;
    for (const auto& directory : machine_.program_directories) {
      if (std::filesystem::exists(directory / name, ignored)) return (directory / name).string();
    }
    return {};
  }
  [[nodiscard]] bool cpu_has(const std::string& flag) const {
    const auto info = text("/proc/cpuinfo");
    for (auto at = info.find(flag); at != std::string::npos; at = info.find(flag, at + 1)) {
      const auto end = at + flag.size();
      const bool begins = at > 0 && (info[at - 1] == ' ' || info[at - 1] == '\t');
      if (begins && (end == info.size() || info[end] == ' ' || info[end] == '\n')) return true;
    }
    return false;
  }

  void program(const std::string& tee, const std::string& name, bool needed, const std::string& remedy) {
    const auto path = find_program(name);
    add({tee, name, needed, !path.empty(), path.empty() ? "not in PATH" : path, remedy});
  }
  void file(const std::string& tee, const std::string& path, bool needed, const std::string& remedy) {
    const bool present = exists(path);
    add({tee, path, needed, present, present ? "present" : "missing", remedy});
  }

  void software() {
    program("software", "nats-server", true, "install the package nats-server");
    program("software", "bwrap", false, "install the package bubblewrap, to sandbox programs by hand");
    const auto library = find_onnx_runtime();
    add({"software", "ONNX Runtime", false, !library.empty(), library.empty() ? "libonnxruntime.so not found" : library,
         "put libonnxruntime.so into lib beside the programs, or into /usr/local/lib; models need it, nothing else"});
    const auto limit = machine_.open_files();
    add({"software", "open files", true, limit >= kWantedFiles, fmt::format("at most {}", limit),
         fmt::format("raise the hard limit to {} or more: LimitNOFILE of the service, or /etc/security/limits.conf",
                     kWantedFiles)});
  }

  [[nodiscard]] std::string find_onnx_runtime() const {
    for (const auto* directory : {"/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib", "/opt/onnxruntime/lib"}) {
      const auto path = std::filesystem::path(directory) / "libonnxruntime.so";
      if (exists(path)) return path.string();
    }
    std::error_code ignored;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().parent_path();
    const auto beside = own / "lib/libonnxruntime.so";
    return std::filesystem::exists(beside, ignored) ? beside.string() : std::string();
  }

  void sandbox() {
    const bool namespaces = machine_.user_namespaces();
    add({"software", "user namespaces", true, namespaces, namespaces ? "can be made" : "refused by the kernel",
         "allow them: sysctl user.max_user_namespaces=15000, on Debian kernel.unprivileged_userns_clone=1, on Ubuntu "
         "kernel.apparmor_restrict_unprivileged_userns=0; in a container, --security-opt seccomp=unconfined"});
    const bool seccomp = machine_.seccomp();
    add({"software", "seccomp", true, seccomp, seccomp ? "filters can be set" : "no filters",
         "use a kernel with CONFIG_SECCOMP_FILTER"});
    const int abi = machine_.landlock_abi();
    add({"software", "Landlock", false, abi > 0, abi > 0 ? fmt::format("ABI {}", abi) : "not in this kernel",
         "boot with landlock in lsm=, on a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or later)"});
    const bool secret = machine_.memfd_secret();
    add({"software", "memfd_secret", false, secret, secret ? "present" : "refused by the kernel",
         "boot with secretmem.enable=1 (Linux 5.14 or later); without it secrets lie in ordinary locked memory"});
  }

  void memory() {
    const auto [group, detail] = memory_group();
    const bool writable = !group.empty() && machine_.writable(at(group));
    add({"software", "memory control group", false, writable,
         group.empty() ? detail : fmt::format("{} at {}{}", detail, group.string(), writable ? "" : ", not writable"),
         "run under systemd with Delegate=yes, or as root; without it the memory of instances is limited by address "
         "space"});
  }

  /// The group of this process that has a memory controller, and the version of its hierarchy.
  [[nodiscard]] std::pair<std::filesystem::path, std::string> memory_group() const {
    const auto own = text("/proc/self/cgroup");
    const auto path_after = [&](const std::string& mark) -> std::optional<std::string> {
      const auto found = own.find(mark);
      if (found == std::string::npos) return std::nullopt;
      const auto begin = found + mark.size();
      return own.substr(begin, own.find('\n', begin) - begin);
    };
    if (const auto path = path_after("0::");
        path && text("/sys/fs/cgroup/cgroup.controllers").find("memory") != std::string::npos) {
      return {std::filesystem::path("/sys/fs/cgroup" + *path).lexically_normal(), "version 2"};
    }
    if (const auto path = path_after(":memory:"); path && exists("/sys/fs/cgroup/memory")) {
      const auto group = std::filesystem::path("/sys/fs/cgroup/memory" + *path).lexically_normal();
      return {exists(group) ? group : "/sys/fs/cgroup/memory", "version 1"};
    }
    return {{}, "no hierarchy with the memory controller"};
  }

  void sgx() {
    const bool cpu = cpu_has("sgx");
    add({"sgx", "processor", true, cpu, cpu ? "has SGX" : "without SGX, or it is off",
         "enable SGX with flexible launch control in the firmware, on a processor that has it"});
    file("sgx", "/dev/sgx_enclave", true, "use Linux 5.11 or later with CONFIG_X86_SGX");
    file("sgx", "/dev/sgx_provision", true, "add the user to the group sgx_prv: quotes need it");
    file("sgx", "/var/run/aesmd/aesm.socket", true, "install and start Intel's aesmd with the DCAP quote libraries");
    program("sgx", "gramine-sgx", true, "install Gramine 1.7 or later, then see `tcfdl tee manifest --help`");
  }

  void confidential_vm(const std::string& tee, const std::string& flag, const std::string& device,
                       const std::string& module, const std::string& what) {
    const bool cpu = cpu_has(flag);
    const bool has_device = exists(device);
    add({tee, "guest", true, cpu || has_device, cpu || has_device ? "this is " + what : "this is not " + what,
         "start the machine as " + what + "; on other machines nothing is missing"});
    file(tee, device, false, "modprobe " + module);
    file(tee, "/sys/kernel/config/tsm/report", true,
         "use Linux 6.7 or later, mount -t configfs none /sys/kernel/config, modprobe " + module);
  }

  const Machine& machine_;
  std::vector<Piece> pieces_;
};

} // namespace

Machine Machine::local() {
  const char* path = std::getenv("PATH");
  Machine machine;
  machine.program_directories = split_path(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  machine.user_namespaces = can_unshare_user;
  machine.seccomp = [] { return ::prctl(PR_GET_SECCOMP) >= 0; };
  machine.landlock_abi = find_landlock_abi;
  machine.memfd_secret = has_memfd_secret;
  machine.open_files = open_file_limit;
  machine.writable = [](const std::filesystem::path& path_wanted) { return ::access(path_wanted.c_str(), W_OK) == 0; };
  return machine;
}

std::vector<Piece> examine(const Machine& machine) { return Examination(machine).run(); }

bool can_run(const std::vector<Piece>& pieces, const std::string& tee) {
  const auto of_tee = [&](const Piece& piece) { return piece.tee == tee; };
  const auto fine = [&](const Piece& piece) { return !of_tee(piece) || !piece.needed || piece.present; };
  return std::ranges::any_of(pieces, of_tee) && std::ranges::all_of(pieces, fine);
}

} // namespace tcfdl::cli
