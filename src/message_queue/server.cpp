#include "message_queue/server.hpp"

#include "base/child.hpp"
#include "base/deadline.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/log.hpp"
#include "base/program_path.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace tcfdl::message_queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLongestDelay{5000};
constexpr milliseconds kHealthyAfter{10000};
constexpr milliseconds kPoll{20};
constexpr std::uint64_t kMostEarlyDeaths = 4;
/// Of which the store may be the reason. Fewer, so that one without it is tried before `start` gives up.
constexpr unsigned kDeathsOfAStore = 3;
constexpr std::uintmax_t kLargestLog = std::uintmax_t{16} << 20U;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Where a server that listens there is reached from this machine.
sockaddr_in reached_at(const std::string& host, std::uint16_t port) {
  auto address = loopback(port);
  const auto listening = parse_ipv4(host);
  if (listening && *listening != INADDR_ANY) address.sin_addr.s_addr = htonl(*listening);
  return address;
}

Result<std::string> find_binary(const std::string& binary) {
  auto found = find_program(binary);
  if (found || found.error().code() != Code::kNotFound) return found;
  return make_error(Code::kNotFound, "{}: install the package nats-server or configure its path",
                    found.error().message());
}

/// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const char* const* arguments, pid_t parent, int null_fd) {
  begin_child(parent);
  ::setpgid(0, 0);
  for (const int fd : {0, 1, 2}) ::dup2(null_fd, fd);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execv(arguments[0], const_cast<char* const*>(arguments));
  ::_exit(127);
}

} // namespace

EmbeddedServer::EmbeddedServer(ServerSettings settings) : settings_(std::move(settings)) {}

EmbeddedServer::~EmbeddedServer() { stop(); }

Status EmbeddedServer::start() {
  if (supervisor_.joinable()) return {};
  TCFDL_ASSIGN(binary_, find_binary(settings_.binary));
  TCFDL_TRY(make_private_directory(settings_.state_directory));
  server_name_ = fmt::format("tcfdl-{}", make_uuid());
  TCFDL_TRY(write_tls());
  TCFDL_TRY(write_config(settings_.trust));
  std::error_code ignored;
  if (std::filesystem::file_size(log_path(), ignored) > kLargestLog && !ignored) {
    std::filesystem::rename(log_path(), log_path().string() + ".1", ignored);
  }
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = false;
    deaths_ = 0;
  }
  supervisor_ = std::thread([this] { supervise(); });
  auto ready = wait_until_ready();
  if (!ready) stop();
  return ready;
}

Status EmbeddedServer::write_config(const ServerTrust& trust) const {
  auto settings = settings_;
  settings.trust = trust;
  TCFDL_ASSIGN(const auto config, make_server_config(settings, server_name_));
  return write_file(config_path(), as_bytes(config), kPrivateFile);
}

Status EmbeddedServer::set_trust(const ServerTrust& trust) {
  if (trust.operator_jwt != settings_.trust.operator_jwt) {
    return Error(Code::kFailedPrecondition, "nats-server keeps its operator while it runs; start it again");
  }
  const std::scoped_lock trust_lock(trust_mutex_);
  TCFDL_TRY(write_config(trust));
  reload();
  return {};
}

Status EmbeddedServer::write_tls() const {
  if (!settings_.tls) return {};
  if (settings_.tls->certificate_pem.empty() || settings_.tls->key_pem == nullptr) {
    return Error(Code::kInvalidArgument, "the message queue needs a TLS certificate and its key");
  }
  TCFDL_TRY(write_file(tls_key_file(settings_), settings_.tls->key_pem->span(), kPrivateFile));
  return write_file(tls_certificate_file(settings_), as_bytes(settings_.tls->certificate_pem), kPrivateFile);
}

Status EmbeddedServer::set_certificate(const std::string& pem) {
  if (!settings_.tls) return Error(Code::kFailedPrecondition, "this message queue has no TLS");
  if (pem.empty()) return Error(Code::kInvalidArgument, "this is no certificate");
  const std::scoped_lock trust_lock(trust_mutex_);
  TCFDL_TRY(write_file(tls_certificate_file(settings_), as_bytes(pem), kPrivateFile));
  reload();
  return {};
}

void EmbeddedServer::reload() const {
  const std::scoped_lock lock(mutex_); // one that is started later reads the new files
  if (pid_ > 0) ::kill(pid_, SIGHUP);
}

void EmbeddedServer::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (supervisor_.joinable()) supervisor_.join();
}

pid_t EmbeddedServer::pid() const {
  const std::scoped_lock lock(mutex_);
  return pid_;
}

std::uint64_t EmbeddedServer::restarts() const {
  const std::scoped_lock lock(mutex_);
  return deaths_;
}

Status EmbeddedServer::wait_until_ready() {
  const auto deadline = Deadline::after(settings_.start_timeout);
  while (!answers()) {
    if (deadline.expired())
      return Deadline::exceeded(fmt::format("the start of {}; see {}", binary_, log_path().string()));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kPoll);
    if (deaths_ >= kMostEarlyDeaths) {
      return make_error(Code::kUnavailable, "{} does not stay up on port {}: {}; see {}", binary_, settings_.port,
                        last_death_, log_path().string());
    }
  }
  return {};
}

bool EmbeddedServer::answers() const {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = reached_at(settings_.host, settings_.port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return false;
  const auto deadline = Deadline::after(milliseconds(500));
  std::string greeting;
  while (greeting.size() < 4096 && greeting.find('\n') == std::string::npos) {
    pollfd ready{fd.get(), POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.left_millis())) <= 0) return false;
    std::array<char, 1024> part{};
    const auto got = ::read(fd.get(), part.data(), part.size());
    if (got <= 0) return false;
    greeting.append(part.data(), static_cast<std::size_t>(got));
  }
  return greeting.find(server_name_) != std::string::npos;
}

void EmbeddedServer::supervise() {
  auto delay = kFirstDelay;
  unsigned early_deaths = 0;
  do {
    const auto began = steady_clock::now();
    const pid_t child = spawn();
    if (child > 0) wait_for_exit(child);
    const bool healthy = steady_clock::now() - began > kHealthyAfter;
    if (healthy) delay = kFirstDelay;
    early_deaths = healthy ? 0 : early_deaths + 1;
    if (settings_.store_is_copy && early_deaths == kDeathsOfAStore) set_store_aside();
    delay = std::min(delay * 2, kLongestDelay);
  } while (!pause(delay / 2));
}

/// The server may not live with what is in it.
void EmbeddedServer::set_store_aside() const {
  const auto store = store_directory(settings_);
  std::error_code failure;
  if (!std::filesystem::exists(store, failure)) return;
  const auto aside = store.string() + ".damaged";
  std::filesystem::remove_all(aside, failure);
  std::filesystem::rename(store, aside, failure);
  if (failure) return spdlog::error("cannot set {} aside: {}", store.string(), failure.message());
  spdlog::warn("{} does not stay up with its store, which is set aside as {}", binary_, aside);
}

pid_t EmbeddedServer::spawn() const {
  const auto config = config_path().string();
  const std::array<const char*, 4> arguments{binary_.c_str(), "-c", config.c_str(), nullptr};
  const UniqueFd null_fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null_fd.valid()) {
    spdlog::error("{}", errno_error("cannot open", "/dev/null").to_string());
    return -1;
  }
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(arguments.data(), parent, null_fd.get());
  if (child < 0) spdlog::error("cannot fork for {}", binary_);
  return child;
}

void EmbeddedServer::wait_for_exit(pid_t child) {
  std::unique_lock lock(mutex_);
  pid_ = child;
  changed_.notify_all();
  auto kill_at = steady_clock::time_point::max();
  int status = 0;
  lock.unlock();
  while (::waitpid(child, &status, WNOHANG) != child) {
    lock.lock();
    const bool asked = kill_at != steady_clock::time_point::max();
    if (stopping_ && !asked) {
      ::kill(child, SIGTERM);
      kill_at = steady_clock::now() + settings_.stop_timeout;
    }
    if (steady_clock::now() >= kill_at) ::kill(child, SIGKILL);
    if (stopping_) {
      changed_.wait_for(lock, kPoll);
    } else {
      changed_.wait_for(lock, kPoll * 5, [this] { return stopping_; });
    }
    lock.unlock();
  }
  lock.lock();
  pid_ = 0;
  if (stopping_) return;
  ++deaths_;
  last_death_ = describe_exit(status);
  spdlog::warn("{} {}; starting it again", binary_, last_death_);
}

bool EmbeddedServer::pause(milliseconds delay) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, delay, [this] { return stopping_; });
}

} // namespace tcfdl::message_queue
