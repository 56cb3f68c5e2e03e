#include "wire/address.hpp"

#include "base/ipv4.hpp"

#include <charconv>
#include <optional>
#include <sys/un.h>

namespace tcfdl::wire {
namespace {

Result<Address> parse_unix(std::string_view path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return make_error(Code::kInvalidArgument, "the socket path '{}' is empty or longer than {} characters", path,
                      sizeof(sockaddr_un::sun_path) - 1);
  }
  return Address(UnixAddress{std::string(path)});
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return port;
}

Result<Address> parse_tcp(std::string_view text, bool tls) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : parse_port(text.substr(colon + 1));
  if (port && parse_ipv4(std::string(text.substr(0, colon)))) {
    return Address(TcpAddress{std::string(text.substr(0, colon)), *port, tls});
  }
  return make_error(Code::kInvalidArgument, "'{}' is no IPv4 address and port", text);
}

} // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (text.starts_with("tcp:")) return parse_tcp(text.substr(4), false);
  if (text.starts_with("tls:")) return parse_tcp(text.substr(4), true);
  return make_error(Code::kInvalidArgument, "address '{}' begins with none of unix:, tcp: and tls:", text);
}

Result<PortRange> parse_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = dash == std::string_view::npos ? std::nullopt : parse_port(text.substr(0, dash));
  const auto last = first ? parse_port(text.substr(dash + 1)) : std::nullopt;
  if (last && *first > 0 && *first <= *last) return PortRange{*first, *last};
  return make_error(Code::kInvalidArgument, "'{}' are no ports as 30000-30099", text);
}

std::string to_string(const Address& address) {
  if (const auto* local = std::get_if<UnixAddress>(&address)) return fmt::format("unix:{}", local->path);
  const auto& tcp = std::get<TcpAddress>(address);
  return fmt::format("{}:{}:{}", tcp.tls ? "tls" : "tcp", tcp.host, tcp.port);
}

bool is_loopback(const TcpAddress& address) { return is_ipv4_loopback(address.host); }

} // namespace tcfdl::wire
