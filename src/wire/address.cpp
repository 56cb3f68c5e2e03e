#include "wire/address.hpp"

#include "base/ipv4.hpp"

#include <charconv>
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

Result<Address> parse_tcp(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto wrong = [&] { return make_error(Code::kInvalidArgument, "'{}' is no IPv4 address and port", text); };
  if (colon == std::string_view::npos) return wrong();
  TcpAddress address{std::string(text.substr(0, colon)), 0};
  const auto port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) return wrong();
  if (!parse_ipv4(address.host)) return wrong();
  return Address(std::move(address));
}

} // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  if (text.starts_with("tcp:")) return parse_tcp(text.substr(4));
  return make_error(Code::kInvalidArgument, "address '{}' begins with neither unix: nor tcp:", text);
}

std::string to_string(const Address& address) {
  if (const auto* local = std::get_if<UnixAddress>(&address)) return fmt::format("unix:{}", local->path);
  const auto& tcp = std::get<TcpAddress>(address);
  return fmt::format("tcp:{}:{}", tcp.host, tcp.port);
}

bool is_loopback(const TcpAddress& address) { return is_ipv4_loopback(address.host); }

} // namespace tcfdl::wire
