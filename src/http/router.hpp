// Which handler answers a path.
#pragma once

#include "http/message.hpp"

#include <memory>

namespace tcfdl::http {

/// The body of a request as it arrives. Used by the handler's thread only, and only until the handler returns.
class BodySource {
public:
  virtual ~BodySource() = default;
  /// Blocks for the next bytes; 0 at the end of the body. DEADLINE_EXCEEDED when the peer is too slow, CANCELLED when
  /// it is gone, INVALID_ARGUMENT when the body is malformed, OUT_OF_RANGE when it is larger than the route allows.
  virtual Result<std::size_t> read(std::span<std::uint8_t> into) = 0;
  /// What the request declared; nullopt for a chunked body.
  [[nodiscard]] virtual std::optional<std::uint64_t> length() const = 0;
};

using Handler = std::function<Response(const Request&)>;
using StreamHandler = std::function<Response(const Request&, BodySource&)>;

struct RouteOptions {
  /// Answers without a token.
  bool is_public = false;
  /// Callers of a lower level get a 403.
  int least_level = 0;
  /// Largest request body in bytes; the server's `max_body` when absent.
  std::optional<std::uint64_t> max_body{};
};

/// A handler; one of the two functions is set.
struct Route {
  Handler handler;
  StreamHandler stream_handler;
  RouteOptions options;
};

/// The routes of a server. Constant after the server's start, then read by its I/O thread.
class Router {
public:
  /// A pattern and its methods.
  struct Resource;
  struct Match {
    const Resource* resource;
    Parameters params;
  };

  Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  ~Router();

  /// `pattern` is a path of literal segments, `{name}` (one segment) and at most one `{name...}` (one or more).
  /// INVALID_ARGUMENT for a malformed pattern, ALREADY_EXISTS for a second handler of a method.
  Status add(std::string_view method, std::string_view pattern, const Route& route);

  /// The most specific pattern that the decoded segments match: more literals, then more single segments, then the
  /// pattern that is literal where the other is not, from the left.
  [[nodiscard]] std::optional<Match> find(const std::vector<std::string>& segments) const;

  /// The route of a method; HEAD falls back to GET. nullptr when the resource lacks it.
  [[nodiscard]] static const Route* route_of(const Resource& resource, std::string_view method) noexcept;
  /// The value of the Allow field.
  [[nodiscard]] static std::string allowed(const Resource& resource);
  /// Whether any method of the resource answers without a token.
  [[nodiscard]] static bool is_public(const Resource& resource) noexcept;

private:
  std::vector<std::unique_ptr<Resource>> resources_; // most specific first
};

} // namespace tcfdl::http
