#include "http/admission.hpp"

#include "http/problem.hpp"
#include "http/url.hpp"

namespace tcfdl::http {
namespace {

using Answer = std::optional<Response>;

Answer refuse(int status, Code code, std::string_view why, std::string_view instance) {
  return problem(status, Error(code, std::string(why)), instance);
}

/// Compares without telling by its time how much agrees.
bool equal_in_constant_time(std::string_view presented, std::string_view secret) noexcept {
  std::size_t difference = presented.size() ^ secret.size();
  for (std::size_t i = 0; i < presented.size() && !secret.empty(); ++i) {
    difference |= static_cast<std::size_t>(static_cast<unsigned char>(presented[i]) ^
                                           static_cast<unsigned char>(secret[i % secret.size()]));
  }
  const volatile std::size_t result = difference;
  return result == 0 && !secret.empty();
}

std::optional<Caller> holder_of_token(const Headers& headers, const ServerSettings& settings) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto field = headers.get("Authorization");
  if (headers.count("Authorization") != 1 || !same_text(field.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return settings.authenticate ? settings.authenticate(field.substr(kScheme.size())) : std::nullopt;
}

/// Who asks: by its token where it presents one, and else by its certificate.
Result<Caller> caller_of(const Head& head, const ServerSettings& settings) {
  const bool by_certificate = !head.headers.has("Authorization") && !head.certificate.empty() && settings.identify;
  if (by_certificate) return settings.identify(head.certificate);
  if (auto holder = holder_of_token(head.headers, settings)) return *std::move(holder);
  return Error(Code::kUnauthenticated, settings.identify
                                           ? "present a token of this server as 'Authorization: Bearer TOKEN', or a "
                                             "client's certificate in TLS"
                                           : "present a token of this server as 'Authorization: Bearer TOKEN'");
}

/// Framing that two readers could understand differently is refused (RFC 9112 sections 3.2 and 6.1).
Answer check_framing(const Head& head) {
  const auto hosts = head.headers.count("Host");
  if (hosts > 1 || (hosts == 0 && head.version >= 11)) {
    return refuse(400, Code::kInvalidArgument, "a request has exactly one Host field", {});
  }
  if (!head.headers.has("Transfer-Encoding")) return std::nullopt;
  const bool plain = head.headers.count("Transfer-Encoding") == 1 && head.version >= 11 && !head.length;
  if (plain && same_text(head.headers.get("Transfer-Encoding"), "chunked")) return std::nullopt;
  return refuse(400, Code::kInvalidArgument, "chunked, once and without a length, is the only transfer coding", {});
}

Answer check_access(const Head& head, const Router::Resource* resource, const Route* route,
                    const Result<Caller>& caller, std::string_view path) {
  const bool open = route != nullptr ? route->options.is_public : resource != nullptr && Router::is_public(*resource);
  if (!open && !caller) return problem(caller.error(), path);
  if (!open && route != nullptr && caller->level < route->options.least_level) {
    const auto why = fmt::format("{} has the role {}, which may not do this", caller->name, caller->role);
    return refuse(403, Code::kPermissionDenied, why, path);
  }
  if (resource == nullptr) return refuse(404, Code::kNotFound, "no resource has this path", path);
  if (route != nullptr) return std::nullopt;
  auto answer = Response::empty();
  if (head.method != "OPTIONS") {
    answer = problem(405, Error(Code::kUnimplemented, "the resource lacks this method"), path);
  }
  answer.headers.set("Allow", Router::allowed(*resource));
  return answer;
}

Answer check_body(const Head& head, std::uint64_t limit, std::string_view path) {
  const auto length = head.length.value_or(0);
  if (length > limit) {
    return problem(413, make_error(Code::kOutOfRange, "the body has {} bytes, more than {}", length, limit), path);
  }
  const auto expects = head.headers.get("Expect");
  if (expects.empty() || same_text(expects, "100-continue")) return std::nullopt;
  return refuse(417, Code::kInvalidArgument, "only 100-continue may be expected", path);
}

} // namespace

Authenticate single_token(std::string token) {
  return [token = std::move(token)](std::string_view presented) -> std::optional<Caller> {
    if (!equal_in_constant_time(presented, token)) return std::nullopt;
    return Caller{"holder of the token", "holder", 0};
  };
}

Admission admit(const Head& head, const Router& router, const ServerSettings& settings) {
  Admission admission;
  admission.answer = check_framing(head);
  if (admission.answer) return admission;
  if (head.method == "OPTIONS" && head.target == "*") {
    admission.answer = Response::empty();
    return admission;
  }
  auto target = parse_target(head.target);
  if (!target) {
    admission.answer = problem(target.error());
    return admission;
  }
  auto match = router.find(target->segments);
  const auto* resource = match ? match->resource : nullptr;
  const auto* route = resource == nullptr ? nullptr : Router::route_of(*resource, head.method);
  auto& request = admission.request;
  request.method = head.method;
  request.path = target->path;
  const auto caller = caller_of(head, settings);
  if (caller) request.caller = *caller;
  if (caller && !head.headers.has("Authorization")) {
    request.tls_certificate.assign(head.certificate.begin(), head.certificate.end());
  }
  admission.answer = check_access(head, resource, route, caller, request.path);
  if (admission.answer) return admission;
  admission.max_body = route->options.max_body.value_or(settings.max_body);
  admission.answer = check_body(head, admission.max_body, request.path);
  if (admission.answer) return admission;
  admission.route = route;
  admission.expects_continue = head.headers.has("Expect") && head.has_body && head.version >= 11;
  request.target = head.target;
  request.headers = head.headers;
  request.query = std::move(target->query);
  if (match) request.params = std::move(match->params);
  return admission;
}

} // namespace tcfdl::http
