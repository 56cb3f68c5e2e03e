// What a request's head alone decides: whether it is answered at once, or which handler gets it.
#pragma once

#include "http/server.hpp"

namespace tcfdl::http {

/// The head of a request as it was parsed.
struct Head {
  std::string method;
  std::string target;
  Headers headers;
  int version = 11; // ten times major plus minor
  /// The declared length of the body; nullopt for a chunked body.
  std::optional<std::uint64_t> length;
  bool has_body = false;
  BytesView certificate{}; // of the peer in TLS, DER; empty for none
};

struct Admission {
  /// Set when no handler is to run.
  std::optional<Response> answer;
  const Route* route = nullptr;
  Request request; // without body, remote and stop
  std::uint64_t max_body = 0;
  /// The peer sends the body only after `100 Continue`.
  bool expects_continue = false;
};

/// Checks, in this order: framing, target, token, path, method, size, expectation.
Admission admit(const Head& head, const Router& router, const ServerSettings& settings);

} // namespace tcfdl::http
