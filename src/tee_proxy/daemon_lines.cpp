#include "tee_proxy/daemon_lines.hpp"

#include "base/encoding.hpp"
#include "wire/proxy_line.hpp"
#include "wire/socket.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <string>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::seconds;

constexpr seconds kConnectTime{10};
constexpr int kCommands = 3;
constexpr int kEvents = 4;
constexpr int kAuthority = 5;

Result<std::unique_ptr<wire::Connection>> inherited(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) return std::make_unique<wire::SocketConnection>(UniqueFd(fd));
  return Error(Code::kFailedPrecondition,
               "there is neither TCFDL_DAEMON nor descriptors 3 to 5: the proxy is started by its node's daemon");
}

/// Taken out of the environment.
Result<wire::LineSecret> take_secret() {
  const char* const text = std::getenv("TCFDL_DAEMON_SECRET");
  if (text == nullptr) return Error(Code::kFailedPrecondition, "TCFDL_DAEMON_SECRET is not set");
  auto bytes = from_base64url(text);
  ::unsetenv("TCFDL_DAEMON_SECRET");
  if (!bytes || bytes->size() != wire::kLineSecretSize) {
    return make_error(Code::kInvalidArgument, "TCFDL_DAEMON_SECRET has not {} bytes in base64url",
                      wire::kLineSecretSize);
  }
  auto secret = wire::LineSecret::copy_of(std::span<const std::uint8_t, wire::kLineSecretSize>(*bytes));
  crypto::wipe(*bytes);
  return secret;
}

Result<std::unique_ptr<wire::Connection>> connected(const wire::Address& daemon, wire::ProxyLine line,
                                                    const wire::LineSecret& secret, Deadline deadline) {
  TCFDL_ASSIGN(auto connection, wire::connect(daemon, deadline));
  if (const auto shown = wire::prove_line(*connection, line, secret, deadline); !shown) {
    return shown.error().within(fmt::format("the line for {} to {}", wire::to_string(line), wire::to_string(daemon)));
  }
  return connection;
}

} // namespace

Result<DaemonLines> find_daemon() {
  DaemonLines lines;
  const char* const text = std::getenv("TCFDL_DAEMON");
  if (text == nullptr) {
    TCFDL_ASSIGN(lines.commands, inherited(kCommands));
    TCFDL_ASSIGN(lines.events, inherited(kEvents));
    TCFDL_ASSIGN(lines.authority, inherited(kAuthority));
    return lines;
  }
  TCFDL_ASSIGN(const auto daemon, wire::parse_address(text));
  TCFDL_ASSIGN(const auto secret, take_secret());
  const auto deadline = Deadline::after(kConnectTime);
  TCFDL_ASSIGN(lines.commands, connected(daemon, wire::ProxyLine::kCommands, secret, deadline));
  TCFDL_ASSIGN(lines.events, connected(daemon, wire::ProxyLine::kEvents, secret, deadline));
  TCFDL_ASSIGN(lines.authority, connected(daemon, wire::ProxyLine::kAuthority, secret, deadline));
  return lines;
}

} // namespace tcfdl::tee_proxy
