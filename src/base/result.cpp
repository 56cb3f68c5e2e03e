#include "base/result.hpp"

#include <algorithm>

namespace tcfdl {
namespace {

constexpr std::array<std::pair<Code, std::string_view>, 16> kNames{{
    {Code::kCancelled, "CANCELLED"},
    {Code::kUnknown, "UNKNOWN"},
    {Code::kInvalidArgument, "INVALID_ARGUMENT"},
    {Code::kDeadlineExceeded, "DEADLINE_EXCEEDED"},
    {Code::kNotFound, "NOT_FOUND"},
    {Code::kAlreadyExists, "ALREADY_EXISTS"},
    {Code::kPermissionDenied, "PERMISSION_DENIED"},
    {Code::kResourceExhausted, "RESOURCE_EXHAUSTED"},
    {Code::kFailedPrecondition, "FAILED_PRECONDITION"},
    {Code::kAborted, "ABORTED"},
    {Code::kOutOfRange, "OUT_OF_RANGE"},
    {Code::kUnimplemented, "UNIMPLEMENTED"},
    {Code::kInternal, "INTERNAL"},
    {Code::kUnavailable, "UNAVAILABLE"},
    {Code::kDataLoss, "DATA_LOSS"},
    {Code::kUnauthenticated, "UNAUTHENTICATED"},
}};

} // namespace

std::string_view code_name(Code code) noexcept {
  const auto* found = std::ranges::find(kNames, code, &std::pair<Code, std::string_view>::first);
  return found == kNames.end() ? "UNKNOWN" : found->second;
}

Code code_from_name(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kNames, name, &std::pair<Code, std::string_view>::second);
  return found == kNames.end() ? Code::kUnknown : found->first;
}

Code code_from_number(std::uint32_t number) noexcept {
  return number >= 1 && number <= kNames.size() ? static_cast<Code>(number) : Code::kUnknown;
}

std::string Error::to_string() const { return fmt::format("{}: {}", code_name(code_), message_); }

Error Error::within(std::string_view where) const {
  auto error = *this;
  error.message_ = fmt::format("{}: {}", where, message_);
  return error;
}

} // namespace tcfdl
