#include "http/problem.hpp"

#include "http/json.hpp"

#include <algorithm>

namespace tcfdl::http {
namespace {

constexpr std::size_t kLongestDocument = std::size_t{64} << 10U;
constexpr std::size_t kLongestDetail = 4096;
constexpr std::string_view kContentType = "application/problem+json";

std::string text_of(const nlohmann::json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::chrono::milliseconds retry_after_of(const nlohmann::json& document) {
  constexpr std::uint64_t kLongest = 86'400'000; // a day
  const auto found = document.find("retry_after_ms");
  if (found == document.end() || !found->is_number_unsigned()) return {};
  return std::chrono::milliseconds(std::min(found->get<std::uint64_t>(), kLongest));
}

} // namespace

int status_of(Code code) noexcept {
  switch (code) {
  case Code::kInvalidArgument:
  case Code::kFailedPrecondition:
  case Code::kOutOfRange: return 400;
  case Code::kUnauthenticated: return 401;
  case Code::kPermissionDenied: return 403;
  case Code::kNotFound: return 404;
  case Code::kAlreadyExists:
  case Code::kAborted: return 409;
  case Code::kResourceExhausted: return 429;
  case Code::kCancelled: return 499;
  case Code::kUnimplemented: return 501;
  case Code::kUnavailable: return 503;
  case Code::kDeadlineExceeded: return 504;
  case Code::kUnknown:
  case Code::kInternal:
  case Code::kDataLoss: return 500;
  }
  return 500;
}

Code code_of_status(int status) noexcept {
  switch (status) {
  case 401: return Code::kUnauthenticated;
  case 403: return Code::kPermissionDenied;
  case 404:
  case 410: return Code::kNotFound;
  case 405:
  case 501: return Code::kUnimplemented;
  case 408:
  case 504: return Code::kDeadlineExceeded;
  case 409: return Code::kAborted;
  case 412: return Code::kFailedPrecondition;
  case 413: return Code::kOutOfRange;
  case 429: return Code::kResourceExhausted;
  case 499: return Code::kCancelled;
  case 500: return Code::kInternal;
  case 502:
  case 503: return Code::kUnavailable;
  default: return status >= 400 && status < 500 ? Code::kInvalidArgument : Code::kUnknown;
  }
}

Response problem(const Error& error, std::string_view instance) {
  return problem(status_of(error.code()), error, instance);
}

Response problem(int status, const Error& error, std::string_view instance) {
  nlohmann::json document{{"type", "about:blank"},
                          {"title", reason_phrase(status)},
                          {"status", status},
                          {"detail", error.message()},
                          {"code", code_name(error.code())}};
  if (!instance.empty()) document["instance"] = instance;
  if (error.retry_after().count() > 0) document["retry_after_ms"] = error.retry_after().count();
  auto response = Response::of(status, std::string(kContentType), dump_json(document));
  if (status == 401) response.headers.set("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503 || error.retry_after().count() > 0) {
    // Whole seconds (RFC 9110, section 10.2.3), never too early.
    const auto wait = std::chrono::ceil<std::chrono::seconds>(error.retry_after());
    response.headers.set("Retry-After", std::to_string(std::max<std::int64_t>(1, wait.count())));
  }
  return response;
}

bool is_problem(const Response& response) noexcept { return response.content_type.starts_with(kContentType); }

Error error_of(const Response& response) {
  auto otherwise = make_error(code_of_status(response.status), "the server answered with status {} {}", response.status,
                              reason_phrase(response.status));
  if (!is_problem(response)) return otherwise;
  const auto document = parse_json(response.body, {.depth = 8, .size = kLongestDocument});
  if (!document || !document->is_object()) return otherwise;
  const auto name = text_of(*document, "code");
  const auto detail = text_of(*document, "detail");
  const auto code = name.empty() ? otherwise.code() : code_from_name(name);
  Error error(code, detail.empty() ? otherwise.message() : printable(detail, kLongestDetail));
  error.set_retry_after(retry_after_of(*document));
  return error;
}

Result<Response> expect_ok(Result<Response> response) {
  if (response && !response->ok()) return error_of(*response);
  return response;
}

} // namespace tcfdl::http
