#include "cli/tcp_traffic.hpp"

#include "base/fd.hpp"
#include "base/file.hpp"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <set>
#include <sys/socket.h>

namespace tcfdl::cli {
namespace {

constexpr std::uint64_t kHeaders = 20 + 20 + 12; // IPv4, TCP, time stamps
constexpr std::uint8_t kEstablished = 1;
constexpr std::size_t kBuffer = 64UL * 1024;

/// The inodes of a process's sockets.
Result<std::set<std::uint32_t>> sockets_of(pid_t pid) {
  std::set<std::uint32_t> inodes;
  const auto directory = std::filesystem::path("/proc") / std::to_string(pid) / "fd";
  std::error_code failure;
  for (std::filesystem::directory_iterator at(directory, failure), end; !failure && at != end; at.increment(failure)) {
    std::error_code closed;
    const auto target = std::filesystem::read_symlink(at->path(), closed).string();
    constexpr std::string_view kPrefix = "socket:[";
    if (closed || !target.starts_with(kPrefix)) continue;
    std::uint32_t inode = 0;
    std::from_chars(target.data() + kPrefix.size(), target.data() + target.size(), inode);
    inodes.insert(inode);
  }
  if (failure) {
    return make_error(Code::kPermissionDenied, "cannot read {}: {}", directory.string(), failure.message());
  }
  return inodes;
}

Status ask(int fd) {
  struct Request {
    nlmsghdr header;
    inet_diag_req_v2 what;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.what.sdiag_family = AF_INET;
  request.what.sdiag_protocol = IPPROTO_TCP;
  request.what.idiag_ext = 1U << (INET_DIAG_INFO - 1U);
  request.what.idiag_states = 1U << kEstablished;
  if (::send(fd, &request, sizeof(request), 0) == static_cast<ssize_t>(sizeof(request))) return {};
  return errno_error("cannot ask for", "TCP connections");
}

/// Adds a connection's figures, if the kernel gave them.
void add_info(const nlmsghdr& header, TcpTraffic& sum) {
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(&header));
  auto left = static_cast<unsigned>(header.nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
  for (const auto* attribute = reinterpret_cast<const rtattr*>(message + 1); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != INET_DIAG_INFO) continue;
    tcp_info info{};
    std::memcpy(&info, RTA_DATA(attribute), std::min<std::size_t>(sizeof(info), RTA_PAYLOAD(attribute)));
    sum.payload += info.tcpi_bytes_sent + info.tcpi_bytes_received;
    sum.segments += std::uint64_t{info.tcpi_segs_out} + info.tcpi_segs_in;
    ++sum.connections;
  }
}

} // namespace

std::uint64_t TcpTraffic::ip_bytes() const noexcept { return payload + segments * kHeaders; }

Result<TcpTraffic> tcp_traffic(pid_t pid, std::uint16_t remote_port) {
  TCFDL_ASSIGN(const auto inodes, sockets_of(pid));
  const UniqueFd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!socket.valid()) return errno_error("cannot open", "a socket for TCP's figures");
  TCFDL_TRY(ask(socket.get()));
  TcpTraffic sum;
  alignas(nlmsghdr) std::array<char, kBuffer> buffer{};
  for (;;) {
    auto left = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (left < 0) return errno_error("cannot read", "TCP connections");
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return sum;
      if (header->nlmsg_type == NLMSG_ERROR) return Error(Code::kInternal, "the kernel does not tell of connections");
      const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
      const bool is_its = inodes.contains(message->idiag_inode) && ntohs(message->id.idiag_dport) == remote_port;
      if (is_its) add_info(*header, sum);
    }
  }
}

} // namespace tcfdl::cli
