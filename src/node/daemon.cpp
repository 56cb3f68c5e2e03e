#include "node/daemon.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

#include <csignal>

namespace tcfdl::node {
namespace {

sigset_t stop_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

} // namespace

void block_stop_signals() {
  const auto signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void wait_for_stop() {
  const auto signals = stop_signals();
  int received = 0;
  ::sigwait(&signals, &received);
  spdlog::info("stopping on {}", received == SIGTERM ? "SIGTERM" : "SIGINT");
}

ReadyFile::ReadyFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

ReadyFile::~ReadyFile() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove(path_, ignored);
}

Status ReadyFile::write(const nlohmann::json& content) {
  if (path_.empty()) return {};
  return write_file(path_, as_bytes(content.dump(2)), kPrivateFile);
}

int run_daemon(const std::string& name, const std::function<Status()>& body) {
  block_stop_signals();
  const auto done = body();
  if (done) return 0;
  fmt::print(stderr, "tcfdl {}: {}\n", name, done.error().to_string());
  return 1;
}

} // namespace tcfdl::node
