// Percent-encoding, request targets, base addresses and the loopback rule.
#pragma once

#include "http/message.hpp"

namespace tcfdl::http {

/// Encodes everything but RFC 3986's unreserved characters, `/` included: a value becomes exactly one path segment.
std::string percent_encode(std::string_view text);

/// INVALID_ARGUMENT for an incomplete escape or a control character, written or escaped.
Result<std::string> percent_decode(std::string_view text);

/// A request target in origin form, taken apart.
struct Target {
  std::string path;                  // without the query, percent-encoded
  std::vector<std::string> segments; // split at '/' first, decoded then
  Parameters query;
};

/// INVALID_ARGUMENT for another form, dot segments, bad escapes, or a query parameter that appears twice.
Result<Target> parse_target(std::string_view target);

/// Where a server is.
struct Url {
  std::string host; // IPv6 without brackets
  std::uint16_t port = 80;
  std::string path; // prefix without a slash at its end; empty for none
  bool tls = false; // https, whose default port is 443
};

/// Reads `http[s]://host[:port][/prefix]`. INVALID_ARGUMENT says what is wrong.
Result<Url> parse_url(std::string_view text);

/// `host:port`, with brackets around IPv6.
std::string host_and_port(std::string_view host, std::uint16_t port);

/// The numeric form of a loopback host (127.0.0.0/8, ::1, localhost). INVALID_ARGUMENT for any other, since connections
/// carry tokens unencrypted.
Result<std::string> loopback_address(std::string_view host);

/// The numeric form of where a server listens: any address with TLS, loopback alone without. INVALID_ARGUMENT.
Result<std::string> listening_address(std::string_view host, bool tls);

} // namespace tcfdl::http
