#include "http/url.hpp"

#include "base/ipv4.hpp"
#include <arpa/inet.h>
#include <charconv>

namespace tcfdl::http {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

template <class Use> Status each_part(std::string_view text, char separator, Use use) {
  for (;;) {
    const auto end = text.find(separator);
    TCFDL_TRY(use(text.substr(0, end)));
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

Status add_segment(Target& target, std::string_view part) {
  TCFDL_ASSIGN(auto segment, percent_decode(part));
  if (segment == "." || segment == "..") return Error(Code::kInvalidArgument, "the path has a dot segment");
  target.segments.push_back(std::move(segment));
  return {};
}

Status add_query(Target& target, std::string_view part) {
  if (part.empty()) return {};
  const auto equals = part.find('=');
  TCFDL_ASSIGN(auto name, percent_decode(part.substr(0, equals)));
  TCFDL_ASSIGN(auto value, percent_decode(equals == std::string_view::npos ? "" : part.substr(equals + 1)));
  const auto [at, fresh] = target.query.try_emplace(std::move(name), std::move(value));
  if (fresh) return {};
  return make_error(Code::kInvalidArgument, "query parameter '{}' appears twice", printable(at->first, 64));
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && port != 0) return port;
  return make_error(Code::kInvalidArgument, "'{}' is no port from 1 to 65535", printable(text, 16));
}

Status parse_authority(Url& url, std::string_view authority) {
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return Error(Code::kInvalidArgument, "an IPv6 address lacks its ']'");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') return Error(Code::kInvalidArgument, "a port follows ':'");
    has_port = !port.empty();
    if (has_port) port.remove_prefix(1);
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
  }
  if (url.host.empty()) return Error(Code::kInvalidArgument, "the host is missing");
  if (!has_port) return {};
  TCFDL_ASSIGN(url.port, parse_port(port));
  return {};
}

} // namespace

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4U];
    encoded += kDigits[byte & 0xFU];
  }
  return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
      if (low < 0) return make_error(Code::kInvalidArgument, "incomplete percent escape at position {}", i);
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) return make_error(Code::kInvalidArgument, "control character at position {}", i);
    decoded += c;
  }
  return decoded;
}

Result<Target> parse_target(std::string_view text) {
  if (!text.starts_with('/'))
    return Error(Code::kInvalidArgument, "the request target is no path that starts with '/'");
  if (text.find('#') != std::string_view::npos) return Error(Code::kInvalidArgument, "the target has a fragment");
  Target target;
  const auto question = text.find('?');
  target.path = text.substr(0, question);
  TCFDL_TRY(each_part(std::string_view(target.path).substr(1), '/',
                      [&target](std::string_view part) { return add_segment(target, part); }));
  if (question == std::string_view::npos) return target;
  TCFDL_TRY(
      each_part(text.substr(question + 1), '&', [&target](std::string_view part) { return add_query(target, part); }));
  return target;
}

Result<Url> parse_url(std::string_view text) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  const auto refuse = [text](const Error& why) {
    return make_error(why.code(), "address '{}': {}; write it as http://127.0.0.1:8080", printable(text, 128),
                      why.message());
  };
  Url url;
  url.tls = text.starts_with(kTls);
  if (url.tls) url.port = 443;
  if (!url.tls && !text.starts_with(kPlain)) {
    return refuse(Error(Code::kInvalidArgument, "it does not start with http:// or https://"));
  }
  const auto rest = text.substr(url.tls ? kTls.size() : kPlain.size());
  if (rest.find_first_of("@?# \t\r\n") != std::string_view::npos) {
    return refuse(Error(Code::kInvalidArgument, "it has a user, a query, a fragment or white space"));
  }
  const auto slash = rest.find('/');
  if (auto status = parse_authority(url, rest.substr(0, slash)); !status) return refuse(status.error());
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port)
                                                  : fmt::format("[{}]:{}", host, port);
}

Result<std::string> listening_address(std::string_view host, bool tls) {
  if (!tls) return loopback_address(host);
  std::string literal(host == "localhost" ? "127.0.0.1" : host);
  in6_addr address{};
  if (parse_ipv4(literal)) return literal;
  if (::inet_pton(AF_INET6, literal.c_str(), &address) == 1) return literal;
  return make_error(Code::kInvalidArgument, "'{}' is no numeric address to listen on", printable(host, 64));
}

Result<std::string> loopback_address(std::string_view host) {
  std::string literal(host == "localhost" ? "127.0.0.1" : host);
  in6_addr v6{};
  if (is_ipv4_loopback(literal)) return literal;
  if (::inet_pton(AF_INET6, literal.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6)) return literal;
  return make_error(
      Code::kInvalidArgument,
      "'{}' is no loopback address: without TLS only 127.0.0.0/8, ::1 and localhost are served; reach another "
      "machine through a tunnel that ends on its loopback address",
      printable(host, 64));
}

} // namespace tcfdl::http
