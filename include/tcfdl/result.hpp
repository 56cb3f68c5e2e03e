// Results and errors of every fallible operation. Codes are gRPC's, by name.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tcfdl {

/// The closed set of error codes, numbered as in gRPC's status codes.
enum class Code : std::uint8_t {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The name of a code on the wire and in every output, for example `NOT_FOUND`.
std::string_view code_name(Code code) noexcept;

/// The code of a name; `kUnknown` for names of newer peers.
Code code_from_name(std::string_view name) noexcept;

/// The code of a number on the wire; `kUnknown` for numbers of newer peers.
Code code_from_number(std::uint32_t number) noexcept;

/// What went wrong, where, and what to do about it.
class Error {
public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] Code code() const noexcept { return code_; }
  [[nodiscard]] const std::string& message() const noexcept { return message_; }

  /// The same call may succeed later without any change by the caller.
  [[nodiscard]] bool retryable() const noexcept {
    return code_ == Code::kUnavailable || code_ == Code::kResourceExhausted || code_ == Code::kAborted;
  }

  /// Nobody answered, or not in time: what was asked for may be there nevertheless.
  [[nodiscard]] bool unanswered() const noexcept {
    return code_ == Code::kUnavailable || code_ == Code::kDeadlineExceeded;
  }

  /// How long to wait before the same call may succeed, as the refuser computed it; 0: it said nothing.
  [[nodiscard]] std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }
  void set_retry_after(std::chrono::milliseconds wait) noexcept { retry_after_ = wait; }

  /// `CODE: message`, as people read it.
  [[nodiscard]] std::string to_string() const;

  /// The same error, told from further outside: `where: message`.
  [[nodiscard]] Error within(std::string_view where) const;

private:
  Code code_;
  std::string message_;
  std::chrono::milliseconds retry_after_{0};
};

/// A value or an `Error`. Dropping one is a compiler warning.
template <class T> class [[nodiscard]] Result : public std::expected<T, Error> {
public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}
};

using Status = Result<void>;

} // namespace tcfdl

#define TCFDL_JOIN_(a, b) a##b
#define TCFDL_JOIN(a, b) TCFDL_JOIN_(a, b)

/// Returns the error of `expression` from the enclosing function, if it has one.
#define TCFDL_TRY(expression)                                                                                          \
  if (auto tcfdl_status = (expression); !tcfdl_status) return std::move(tcfdl_status).error()

/// Declares `declaration` from the value of `expression`, or returns its error from the enclosing function.
#define TCFDL_ASSIGN(declaration, expression)                                                                          \
  auto TCFDL_JOIN(tcfdl_result_, __LINE__) = (expression);                                                             \
  if (!TCFDL_JOIN(tcfdl_result_, __LINE__)) return std::move(TCFDL_JOIN(tcfdl_result_, __LINE__)).error();             \
  declaration = *std::move(TCFDL_JOIN(tcfdl_result_, __LINE__)) // NOLINT(bugprone-macro-parentheses)
