// Errors on the wire: problem documents of RFC 9457. The mapping stands in this module's README.
#pragma once

#include "http/message.hpp"

namespace tcfdl::http {

/// The HTTP status of an error code, as gRPC's HTTP mapping has it.
int status_of(Code code) noexcept;

/// The code that comes nearest to a status of a server without problem documents.
Code code_of_status(int status) noexcept;

/// An `application/problem+json` response. `instance` is the path that was asked for. Sets WWW-Authenticate for 401 and
/// Retry-After for 429 and 503: the error's, in whole seconds rounded up, else 1; its milliseconds are the member
/// `retry_after_ms`.
Response problem(const Error& error, std::string_view instance = {});

/// The same with a status of its own, for errors of HTTP itself as 405 or 413.
Response problem(int status, const Error& error, std::string_view instance);

/// Whether it is a problem document.
bool is_problem(const Response& response) noexcept;

/// The error that a response tells, for clients; control characters of its text are replaced, its length is bounded.
Error error_of(const Response& response);

/// The response if its status is 2xx, else its error.
Result<Response> expect_ok(Result<Response> response);

} // namespace tcfdl::http
