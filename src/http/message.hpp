// Requests and responses as both sides of a connection see them.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::http {

/// Header fields in their order on the wire; names compare without case.
class Headers {
public:
  using Field = std::pair<std::string, std::string>;

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Replaces all fields of that name by one.
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);
  /// The first field of that name; empty when absent.
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept { return count(name) > 0; }
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] auto begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] auto end() const noexcept { return fields_.end(); }

private:
  std::vector<Field> fields_;
};

/// Whether two ASCII texts are equal without regard to case.
bool same_text(std::string_view a, std::string_view b) noexcept;

using Parameters = std::map<std::string, std::string, std::less<>>;

/// Fills a part of the span and returns how much; 0 ends the body. An error cuts the body off, so that the peer sees it
/// incomplete.
using Producer = std::function<Result<std::size_t>(std::span<std::uint8_t>)>;

/// A request body of known size that is not held in memory (clients only).
struct Upload {
  std::uint64_t size = 0;
  Producer read;
};

/// Somebody whom a server knows.
struct Caller {
  std::string name;
  std::string role; ///< for records; `level` decides
  int level = 0;    ///< the higher, the more routes
};

/// A request. A client sets method, target, headers and body (or upload); a server fills the rest.
struct Request {
  std::string method = "GET";
  /// Path and query, percent-encoded, as on the wire.
  std::string target = "/";
  Headers headers;
  Bytes body;
  std::optional<Upload> upload;

  /// The path of `target`, still percent-encoded: the `instance` of problem documents.
  std::string path;
  /// Values of the pattern's `{name}` and `{name...}`, decoded.
  Parameters params;
  /// The query, decoded.
  Parameters query;
  /// Who asks; absent where the route is public and nobody known asks.
  std::optional<Caller> caller;
  /// What the caller is known by, where that is its TLS certificate: DER. Empty for one that is known by a token.
  Bytes tls_certificate;
  /// Address and port of the peer.
  std::string remote;
  /// Set when the peer disconnects or the server is made to stop. Its callbacks run on the I/O thread: they must not
  /// block.
  std::stop_token stop;

  [[nodiscard]] bool cancelled() const noexcept { return stop.stop_requested(); }
  /// The value of a pattern's parameter; empty when the pattern has none of that name.
  [[nodiscard]] std::string_view param(std::string_view name) const noexcept;
  /// The value of a query parameter; nullopt when absent.
  [[nodiscard]] std::optional<std::string> query_text(std::string_view name) const;
  /// A query parameter as a whole number; `otherwise` when absent, INVALID_ARGUMENT outside of [least, most].
  [[nodiscard]] Result<std::int64_t> query_integer_or(std::string_view name, std::int64_t otherwise, std::int64_t least,
                                                      std::int64_t most) const;

  static Request make(std::string method, std::string target, std::string_view content = {},
                      std::string content_type = "application/json");
};

/// A response. With `stream` the body is what the producer gives, in chunks, and `body` is ignored; the server calls
/// the producer on its handler threads, one call at a time, after the handler returned.
struct Response {
  int status = 200;
  std::string content_type;
  Headers headers;
  Bytes body;
  Producer stream;

  [[nodiscard]] std::string_view text() const noexcept { return as_text(body); }
  [[nodiscard]] bool ok() const noexcept { return status >= 200 && status < 300; }

  static Response of(int status, std::string content_type, std::string_view content);
  static Response json(int status, std::string_view document) { return of(status, "application/json", document); }
  static Response plain(int status, std::string_view content) {
    return of(status, "text/plain; charset=utf-8", content);
  }
  static Response empty(int status = 204) { return of(status, {}, {}); }
};

/// The reason phrase of a status; `Unknown` for statuses that this module never sends.
std::string_view reason_phrase(int status) noexcept;

/// Text of a peer as it may be printed: at most `limit` bytes, control characters replaced.
std::string printable(std::string_view text, std::size_t limit = 256);

} // namespace tcfdl::http
