// What calls and submissions over HTTP can say alike.
#pragma once

#include "base/units.hpp"
#include "http/message.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl::gateway {

/// The largest body over HTTP, bytes: it is held once in memory. The SDK streams larger ones.
constexpr std::uint64_t kMaxBody = std::uint64_t{256} << 20U;

/// Takes the query parameter where it is `timeout`, `protection` or `assurance`; false for another one.
/// INVALID_ARGUMENT for a value that it has not.
template <class Options>
Result<bool> take_parameter(const std::string& key, const std::string& value, Options& options) {
  if (key == "timeout") {
    TCFDL_ASSIGN(options.timeout, parse_duration(value));
  } else if (key == "protection") {
    TCFDL_ASSIGN(options.protection, protection_from_name(value));
  } else if (key == "assurance") {
    if (value != "software" && value != "hardware") {
      return make_error(Code::kInvalidArgument, "assurance: '{}' is neither software nor hardware", value);
    }
    options.assurance = value;
  } else {
    return false;
  }
  return true;
}

/// Task id, priority, type of the body, and trace context. INVALID_ARGUMENT names the field.
template <class Options> Status take_fields(const http::Request& request, Options& options) {
  options.task_id = request.headers.get("Idempotency-Key");
  if (const auto priority = request.headers.get("Tcfdl-Priority"); !priority.empty()) {
    TCFDL_ASSIGN(options.priority, priority_from_name(priority));
  }
  if (const auto type = request.headers.get("Content-Type"); !type.empty()) options.content_type = type;
  options.traceparent = request.headers.count("traceparent") == 1 ? request.headers.get("traceparent") : "";
  options.tracestate = request.headers.get("tracestate");
  return {};
}

/// The client that calls, by its certificate; empty for the holder of the gateway's token.
inline std::string client_of(const http::Request& request) {
  return request.tls_certificate.empty() || !request.caller ? std::string() : request.caller->name;
}

} // namespace tcfdl::gateway
