// Lines to a proxy that inherits nothing, as one in a Gramine enclave: over loopback TCP.
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "crypto/random.hpp"
#include "node/proxy_channel.hpp"
#include "wire/proxy_line.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <list>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

/// For one proof. Who wants to disturb connects and is silent.
constexpr seconds kProofTime{5};
/// Connections that prove themselves at the same time; the oldest goes when another comes.
constexpr std::size_t kMostAtOnce = 64;

/// Connections that prove which line they are, each on a thread of its own until it has. One thread adds and takes.
class Admissions {
public:
  explicit Admissions(const wire::LineSecret& secret)
      : secret_(secret), news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  Admissions(const Admissions&) = delete;
  Admissions& operator=(const Admissions&) = delete;
  ~Admissions() {
    while (!candidates_.empty()) drop_oldest();
  }

  void add(UniqueFd socket) {
    if (candidates_.size() == kMostAtOnce) drop_oldest();
    auto& candidate = candidates_.emplace_back();
    candidate.live = std::make_shared<wire::SocketConnection>(std::move(socket));
    candidate.thread = std::thread([this, live = candidate.live] { prove(live); });
  }

  /// Readable when a line has come.
  [[nodiscard]] int news() const noexcept { return news_.get(); }

  /// All lines, when they are there; else nullopt.
  std::optional<ProxyLines> take() {
    const std::scoped_lock lock(mutex_);
    std::uint64_t ignored = 0;
    (void)!::read(news_.get(), &ignored, sizeof(ignored));
    for (const auto& line : lines_) {
      if (!line) return std::nullopt;
    }
    return ProxyLines{lines_[0], lines_[1], lines_[2]};
  }

private:
  struct Candidate {
    std::shared_ptr<wire::SocketConnection> live;
    std::thread thread;
  };

  void drop_oldest() {
    auto& oldest = candidates_.front();
    if (!is_line(oldest.live)) oldest.live->shutdown();
    oldest.thread.join();
    candidates_.pop_front();
  }

  [[nodiscard]] bool is_line(const std::shared_ptr<wire::SocketConnection>& connection) {
    const std::scoped_lock lock(mutex_);
    return std::ranges::find(lines_, connection) != lines_.end();
  }

  void prove(const std::shared_ptr<wire::SocketConnection>& connection) {
    const auto line = wire::admit_line(*connection, secret_, Deadline::after(kProofTime));
    if (!line) {
      spdlog::warn("a connection to the port for the TEE proxy is refused: {}", line.error().message());
      return connection->shutdown();
    }
    const std::scoped_lock lock(mutex_);
    auto& place = lines_[static_cast<std::size_t>(*line) - 1];
    if (place) {
      spdlog::warn("a second line for {} of the TEE proxy is refused", wire::to_string(*line));
      return connection->shutdown();
    }
    place = connection;
    const std::uint64_t one = 1;
    (void)!::write(news_.get(), &one, sizeof(one));
  }

  const wire::LineSecret& secret_;
  UniqueFd news_;
  std::list<Candidate> candidates_;
  std::mutex mutex_;
  std::array<std::shared_ptr<wire::SocketConnection>, wire::kProxyLines> lines_; // guarded by mutex_
};

class LoopbackLines final : public ProxyChannel {
public:
  LoopbackLines(UniqueFd listener, wire::Address address)
      : listener_(std::move(listener)), address_(std::move(address)),
        secret_(crypto::random_secret<wire::kLineSecretSize>()) {}

  [[nodiscard]] std::vector<std::string> environment() const override {
    return {"TCFDL_DAEMON=" + wire::to_string(address_), "TCFDL_DAEMON_SECRET=" + to_base64url(secret_.span())};
  }

  void hand_over() const noexcept override {}

  Result<ProxyLines> take(const HostProcess& process, Deadline deadline) override {
    for (Admissions admissions(secret_);;) {
      std::array<pollfd, 3> entries{
          {{listener_.get(), POLLIN, 0}, {admissions.news(), POLLIN, 0}, {process.exited.get(), POLLIN, 0}}};
      const auto left = std::min<std::int64_t>(deadline.left_millis(), 1 << 30);
      (void)::poll(entries.data(), entries.size(), static_cast<int>(left));
      if (auto lines = admissions.take()) return *std::move(lines);
      if (entries[2].revents != 0) return Error(Code::kUnavailable, "it ended before it connected to its daemon");
      if (deadline.expired()) return Deadline::exceeded("the wait for its connections");
      if (entries[0].revents == 0) continue;
      UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (socket.valid()) {
        admissions.add(std::move(socket));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        return errno_error("cannot accept connections at", wire::to_string(address_));
      }
    }
  }

private:
  UniqueFd listener_;
  const wire::Address address_;
  const wire::LineSecret secret_;
};

} // namespace

Result<std::unique_ptr<ProxyChannel>> loopback_lines() {
  const wire::Address wanted(wire::TcpAddress{"127.0.0.1", 0});
  TCFDL_ASSIGN(auto listener, wire::listen_on(wanted, wire::Exposure::kLoopback));
  ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
  TCFDL_ASSIGN(auto address, wire::bound_address(listener.get(), wanted));
  return std::make_unique<LoopbackLines>(std::move(listener), std::move(address));
}

} // namespace tcfdl::node
