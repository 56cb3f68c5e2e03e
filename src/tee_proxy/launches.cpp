#include "tee_proxy/launches.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "crypto/random.hpp"

#include <cerrno>
#include <csignal>
#include <sys/wait.h>

namespace tcfdl::tee_proxy {
namespace {

/// Where nothing is said.
constexpr std::uint32_t kMostProcesses = 4096;

std::string hash_of(const std::string& token) { return to_hex(crypto::sha256(as_bytes(token))); }

tee::GroupLimits limits_of(const wire::InstanceLimits& limits) {
  return {.memory = limits.memory(),
          .processes = limits.processes() != 0 ? limits.processes() : kMostProcesses,
          .millicores = limits.millicores(),
          .most_millicores = limits.most_millicores()};
}

} // namespace

Launches::Launches(tee::Sandbox sandbox, OnExit on_exit)
    : sandbox_(std::move(sandbox)), on_exit_(std::move(on_exit)), reaper_([this] { reap(); }) {}

Launches::~Launches() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    for (const auto& [instance, process] : processes_) ::kill(-process.launched.group, SIGKILL);
  }
  changed_.notify_all();
  reaper_.join();
}

Result<wire::LaunchedInstance> Launches::launch(const wire::LaunchInstance& command,
                                                std::map<std::string, std::string> environment) {
  {
    const std::scoped_lock lock(mutex_);
    if (processes_.contains(command.instance())) {
      return make_error(Code::kAlreadyExists, "{} runs already", command.instance());
    }
  }
  TCFDL_ASSIGN(const auto bundle, tee::measure_bundle(as_bytes(command.manifest()), command.directory()));
  LaunchRecord record{
      command.instance(), {}, command.role(), {bundle.measurement.begin(), bundle.measurement.end()}, {}};
  if (command.has_descriptor()) {
    TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(command.descriptor().statement()));
    record.function = descriptor.name();
  }
  if (!wire::confidential_paths(bundle.manifest).empty()) record.manifest = command.manifest();
  const auto token = to_base64url(crypto::random_array<32>());
  environment["TCFDL_PROXY_TOKEN"] = token;
  const bool logged = bundle.manifest.logs == wire::LogPolicy::kHost;
  // The lock is held over the start, so that the reaper knows the process before it can learn of its end.
  const std::scoped_lock lock(mutex_);
  tee::LaunchSettings settings{std::move(environment), logged ? command.log() : std::string(), command.instance(),
                               limits_of(command.limits())};
  TCFDL_ASSIGN(auto launched, tee::launch(bundle, settings, sandbox_));
  wire::LaunchedInstance reply;
  reply.set_pid(static_cast<std::uint32_t>(launched.pid));
  if (launched.control) {
    for (const auto& path : launched.control->paths()) reply.add_groups(path.string());
  }
  record.layers = launched.layers;
  tokens_[hash_of(token)] = command.instance();
  processes_.insert_or_assign(command.instance(),
                              Process{std::move(record), std::move(launched), command.limits().memory(), {}});
  changed_.notify_all();
  return reply;
}

Status Launches::kill(const std::string& instance) {
  const std::scoped_lock lock(mutex_);
  const auto found = processes_.find(instance);
  if (found == processes_.end()) return make_error(Code::kNotFound, "{} does not run here", instance);
  ::kill(-found->second.launched.group, SIGKILL);
  return {};
}

Result<LaunchRecord> Launches::redeem(const std::string& token) {
  const std::scoped_lock lock(mutex_);
  const auto found = tokens_.find(hash_of(token));
  if (found == tokens_.end()) {
    return Error(Code::kUnauthenticated, "this process was not started by this proxy, or has attached before");
  }
  const auto process = processes_.find(found->second);
  tokens_.erase(found);
  if (process == processes_.end()) return Error(Code::kUnauthenticated, "the process of this token has ended");
  return process->second.record;
}

void Launches::note_no_identity(const std::string& instance, const std::string& why) {
  const std::scoped_lock lock(mutex_);
  const auto found = processes_.find(instance);
  if (found != processes_.end()) found->second.lacks_identity = why;
}

void Launches::reap() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !processes_.empty(); });
      if (processes_.empty()) return;
    }
    int status = 0;
    const auto pid = ::waitpid(-1, &status, 0);
    if (pid > 0) handle_exit(pid, status);
  }
}

void Launches::handle_exit(pid_t pid, int status) {
  wire::InstanceExited event;
  event.set_status(status);
  tee::Launched ended;
  bool stopping = false;
  {
    const std::scoped_lock lock(mutex_);
    const auto found =
        std::ranges::find_if(processes_, [&](const auto& entry) { return entry.second.launched.pid == pid; });
    if (found == processes_.end()) return;
    auto& process = found->second;
    event.set_instance(found->first);
    event.set_note(process.lacks_identity);
    event.set_no_identity(!process.lacks_identity.empty());
    ended = std::move(process.launched);
    ::kill(-ended.group, SIGKILL); // what it started
    if (ended.control && ended.control->kills() > 0) {
      event.set_note(fmt::format("over its memory limit of {} MiB", process.memory >> 20U));
    }
    processes_.erase(found);
    std::erase_if(tokens_, [&](const auto& token) { return token.second == event.instance(); });
    stopping = stopping_;
  }
  while (::waitpid(-ended.group, nullptr, 0) > 0) { // the rest of it; then its control group is empty
  }
  std::error_code ignored;
  if (!ended.own_directory.empty()) std::filesystem::remove_all(ended.own_directory, ignored);
  if (!stopping) on_exit_(event);
}

} // namespace tcfdl::tee_proxy
