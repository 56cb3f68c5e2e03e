// Lines to a proxy that inherits descriptors.
#include "base/file.hpp"
#include "node/proxy_channel.hpp"
#include "wire/proxy_line.hpp"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>

namespace tcfdl::node {
namespace {

constexpr int kFirst = 3;
constexpr int kAbove = 100; ///< above every number in use first, so that none overwrites another

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

class InheritedLines final : public ProxyChannel {
public:
  explicit InheritedLines(std::array<Ends, wire::kProxyLines> ends) : ends_(std::move(ends)) {}

  [[nodiscard]] std::vector<std::string> environment() const override { return {}; }

  void hand_over() const noexcept override {
    std::array<int, wire::kProxyLines> high{};
    for (std::size_t i = 0; i < ends_.size(); ++i) high[i] = ::fcntl(ends_[i].theirs.get(), F_DUPFD_CLOEXEC, kAbove);
    for (std::size_t i = 0; i < ends_.size(); ++i) ::dup2(high[i], kFirst + static_cast<int>(i));
  }

  Result<ProxyLines> take(const HostProcess&, Deadline) override {
    const auto line = [](Ends& ends) {
      ends.theirs.reset(); // so that the proxy's end shows here
      return std::make_shared<wire::SocketConnection>(std::move(ends.ours));
    };
    return ProxyLines{line(ends_[0]), line(ends_[1]), line(ends_[2])};
  }

private:
  std::array<Ends, wire::kProxyLines> ends_;
};

} // namespace

Result<std::unique_ptr<ProxyChannel>> inherited_lines() {
  std::array<Ends, wire::kProxyLines> ends;
  for (auto& [ours, theirs] : ends) {
    std::array<int, 2> fds{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
      return errno_error("cannot make sockets for", "the proxy");
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  return std::make_unique<InheritedLines>(std::move(ends));
}

} // namespace tcfdl::node
