#include "tee/launch.hpp"

#include "base/child.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "tee/stage.hpp"
#include "tee/view.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <linux/close_range.h>
#include <random>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace tcfdl::tee {
namespace {

constexpr std::uint64_t kScratch = std::uint64_t{512} << 20U;
constexpr std::size_t kMostReport = 4096;
/// Users that no Linux distribution gives out and systemd leaves alone (its UIDS-GIDS document).
constexpr std::uint32_t kFirstUser = 1'900'000'000;
constexpr std::uint32_t kUsers = std::uint32_t{1} << 27U;
constexpr std::uint32_t kNobody = 65534;

std::map<std::string, std::string> environment_of(const MeasuredBundle& bundle, const LaunchSettings& settings,
                                                  const Sandbox& sandbox) {
  std::map<std::string, std::string> merged{{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  if (sandbox.namespaces()) merged["HOME"] = merged["TMPDIR"] = "/tmp";
#ifdef __SANITIZE_ADDRESS__
  merged["ASAN_OPTIONS"] = "detect_leaks=0"; // it traces its process, which the filter takes for an attack
#endif
  for (const auto& [name, value] : bundle.manifest.environment) merged[name] = value;
  const auto directory = sandbox.namespaces() ? std::filesystem::path(kBundle) : bundle.directory;
  merged["LD_LIBRARY_PATH"] = (directory / "lib").string();
  for (const auto& [name, value] : settings.environment) merged[name] = value;
  return merged;
}

/// What the confidential files of a bundle take in memory, bytes: whole pages, and what directories need.
std::uint64_t confidential_memory(const wire::Manifest& manifest) {
  constexpr std::uint64_t kPage = 4096;
  constexpr std::uint64_t kDirectories = std::uint64_t{64} << 10U;
  std::uint64_t size = kDirectories;
  for (const auto& file : manifest.files) {
    if (file.confidential) size += (file.confidential->size + kPage - 1) / kPage * kPage;
  }
  return size;
}

/// Memory of its own for the confidential files, which counts against its limit.
Status plan_confidential(const wire::Manifest& manifest, const LaunchSettings& settings, wire::LaunchPlan& plan) {
  const auto paths = wire::confidential_paths(manifest);
  if (paths.empty()) return {};
  const auto memory = confidential_memory(manifest);
  if (!plan.namespaces()) {
    return make_error(
        Code::kFailedPrecondition,
        "{} has confidential files, which open only in the layer 'namespaces' of the software TEE: without "
        "it there is no memory of its own; let the node have the layer, or run the function elsewhere",
        settings.name);
  }
  if (settings.limits.memory != 0 && memory >= settings.limits.memory) {
    return make_error(Code::kResourceExhausted,
                      "the confidential files of {} need {} KiB of its memory, whose limit is {} KiB; raise "
                      "resources.memory",
                      settings.name, memory >> 10U, settings.limits.memory >> 10U);
  }
  for (const auto& path : paths) plan.add_confidential(path);
  plan.set_confidential_memory(memory);
  return {};
}

/// A directory in the run directory where only the instance makes sockets and everybody on the node finds them.
Result<std::filesystem::path> make_own_directory(const std::filesystem::path& run, const std::string& name,
                                                 unsigned user) {
  auto own = run / to_hex(crypto::sha256(as_bytes(name))).substr(0, 8);
  std::error_code failure;
  std::filesystem::remove_all(own, failure);
  if (::mkdir(own.c_str(), 0755) != 0) return errno_error("cannot make", own);
  if (::chmod(own.c_str(), 0755) != 0) return errno_error("cannot set the mode of", own);
  if (user != 0 && ::chown(own.c_str(), user, user) != 0) return errno_error("cannot give away", own);
  return own;
}

Result<UniqueFd> in_memory(const std::string& content) {
  UniqueFd fd(::memfd_create("plan", MFD_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot make memory for", "the plan");
  TCFDL_TRY(write_all(fd.get(), as_bytes(content)));
  return fd;
}

/// What the child does between fork and exec of the stage: calls that are safe there, and nothing else.
struct Child {
  pid_t parent;
  int output;
  const std::vector<UniqueFd>* group_doors;
  std::array<int, 3> kept; ///< passed on: plan, program, report
  const char* stage;
  char* const* arguments;
  char* const* environment;

  [[noreturn]] void run() const {
    begin_child(parent);
    ::setsid(); // a process group of its own, and no terminal
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const int input = ::open("/dev/null", O_RDONLY);
    if (input < 0 || ::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0) ::_exit(127);
    for (const auto& door : *group_doors) {
      if (::write(door.get(), "0", 1) != 1) ::_exit(127);
    }
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (const int fd : kept) {
      if (::fcntl(fd, F_SETFD, 0) != 0) ::_exit(127);
    }
    ::execve(stage, arguments, environment);
    ::_exit(127);
  }
};

/// Has control groups or, where they cannot be had, the kernel's limits of single processes hold the limits; the layers
/// of the sandbox that the instance gets.
Result<std::vector<std::string>> apply(const GroupLimits& limits, const std::string& name, const Sandbox& sandbox,
                                       wire::LaunchPlan& plan, std::unique_ptr<ControlGroup>& group) {
  const auto held = [&](Controller controller) { return sandbox.groups().version(controller) != 0; };
  auto layers = sandbox.layers();
  const auto without = [&](std::string_view layer) {
    std::erase_if(layers, [&](const auto& each) { return each.starts_with(layer); });
  };
  TCFDL_ASSIGN(group, sandbox.groups().make(name, limits));
  if (limits.memory == 0) without(kMemory);
  if (limits.memory != 0 && !held(Controller::kMem)) plan.set_data_limit(limits.memory);
  if (limits.processes == 0) without(kProcesses);
  if (!held(Controller::kPids)) plan.set_processes(limits.processes);
  if (limits.most_millicores == 0) without(kProcessor);
  if (limits.most_millicores != 0 && !held(Controller::kCpu)) {
    spdlog::warn("nothing holds {} below {} millicores: {}", name, limits.most_millicores,
                 sandbox.groups().why_not(Controller::kCpu).message());
  }
  return layers;
}

/// All that the pipe says until its last writer has closed it.
std::string read_report(int fd) {
  std::string text;
  std::array<char, 512> piece{};
  for (;;) {
    const auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > kMostReport) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

struct Started {
  pid_t pid;
  pid_t group;
};

/// Starts the stage and returns when it has become the program, or with a probe when it has ended.
Result<Started> run_plan(const wire::LaunchPlan& plan, const std::string& stage, int program, int output,
                         const std::vector<UniqueFd>& group_doors) {
  TCFDL_ASSIGN(const auto memory, in_memory(plan.SerializeAsString()));
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("cannot make", "a pipe");
  const UniqueFd report(ends[0]);
  UniqueFd reporting(ends[1]);
  std::array<std::string, 5> texts{"tcfdl-sandbox", std::string(kStageArgument), std::to_string(memory.get()),
                                   std::to_string(program), std::to_string(reporting.get())};
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < texts.size(); ++i) arguments[i] = texts[i].data();
  char* no_environment[] = {nullptr};
  const Child child{::getpid(),    output,           &group_doors,  {memory.get(), program, reporting.get()},
                    stage.c_str(), arguments.data(), no_environment};
  const auto pid = ::fork();
  if (pid < 0)
    return errno_error("cannot start a process for", plan.arguments_size() > 0 ? plan.arguments(0) : "probing");
  if (pid == 0) child.run();
  reporting.reset();
  const auto told = parse_stage_report(read_report(report.get()));
  if (told.error) {
    ::kill(-pid, SIGKILL);
    return told.error->within("the sandbox");
  }
  if (!plan.namespaces()) return Started{pid, pid};
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) { // or the reaper of all children was first
  }
  if (told.pid <= 0) return Error(Code::kInternal, "the process that makes the sandbox ended without a word");
  return Started{told.pid, pid};
}

} // namespace

unsigned choose_user() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  std::random_device random;
  while (map >> first >> outside >> count) {
    if (first <= kFirstUser && first + count > std::uint64_t{kFirstUser} + kUsers)
      return kFirstUser + random() % kUsers;
  }
  if (count < 4) return 0;
  const auto half = static_cast<std::uint32_t>(count / 2); // of the last range, whose lower half others may use
  const auto user = static_cast<std::uint32_t>(first) + half + random() % half;
  return user == kNobody ? user - 1 : user;
}

Status try_plan(const wire::LaunchPlan& plan, const std::string& stage) {
  const UniqueFd output(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const UniqueFd program(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!output.valid() || !program.valid()) return errno_error("cannot open", "/dev/null");
  TCFDL_ASSIGN(const auto started, run_plan(plan, stage, program.get(), output.get(), {}));
  int status = 0;
  ::waitpid(started.pid, &status, 0);
  ::kill(-started.group, SIGKILL);
  if (status == 0) return {};
  return make_error(Code::kInternal, "the process that tried it ended with status {}", status);
}

Result<Launched> launch(const MeasuredBundle& bundle, const LaunchSettings& settings, const Sandbox& sandbox) {
  const auto log = settings.log.empty() ? std::filesystem::path("/dev/null") : settings.log;
  const UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (!output.valid()) return errno_error("cannot write the log", log);
  Launched launched;
  wire::LaunchPlan plan;
  plan.set_bundle(bundle.directory.string());
  plan.set_namespaces(sandbox.namespaces());
  plan.set_landlock(sandbox.landlock());
  plan.set_filter(sandbox.filter());
  plan.set_user(sandbox.own_user() ? choose_user() : 0);
  const auto& limits = settings.limits;
  plan.set_scratch(limits.memory == 0 ? kScratch : std::max<std::uint64_t>(limits.memory / 2, 1 << 20U));
  TCFDL_TRY(plan_confidential(bundle.manifest, settings, plan));
  auto environment = environment_of(bundle, settings, sandbox);
  if (plan.confidential_size() > 0) {
    environment["TCFDL_BUNDLE"] = kBundle;
    environment["TCFDL_SEALED"] = kSealedBundle;
    environment["TCFDL_CONFIDENTIAL"] = kConfidential;
  }
  if (const auto run = environment.find("TCFDL_RUN_DIR"); run != environment.end()) {
    TCFDL_ASSIGN(launched.own_directory, make_own_directory(run->second, settings.name, plan.user()));
    plan.set_run_directory(run->second);
    plan.set_own_directory(launched.own_directory.string());
    run->second = launched.own_directory.string();
  }
  for (const auto& [name, value] : environment) plan.add_environment(fmt::format("{}={}", name, value));
  for (const auto& argument : bundle.manifest.command) plan.add_arguments(argument);
  TCFDL_ASSIGN(launched.layers, apply(limits, settings.name, sandbox, plan, launched.control));
  std::vector<UniqueFd> doors;
  if (launched.control) {
    TCFDL_ASSIGN(doors, launched.control->doors());
  }
  TCFDL_ASSIGN(const auto started, run_plan(plan, settings.stage, bundle.program.get(), output.get(), doors));
  launched.pid = started.pid;
  launched.group = started.group;
  return launched;
}

} // namespace tcfdl::tee
