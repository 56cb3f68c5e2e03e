#include "base/result.hpp"

#include <tcfdl/client.hpp>

namespace tcfdl {
namespace {

Error keeps_no_tasks() { return {Code::kUnimplemented, "this client calls functions; it submits no tasks"}; }

} // namespace

std::string_view protection_name(Protection protection) noexcept {
  switch (protection) {
  case Protection::kEae: return "eae";
  case Protection::kHse: return "hse";
  case Protection::kNone: break;
  }
  return "none";
}

Result<Protection> protection_from_name(std::string_view name) {
  if (name == "eae") return Protection::kEae;
  if (name == "hse") return Protection::kHse;
  if (name == "none") return Protection::kNone;
  return make_error(Code::kInvalidArgument, "no protection is called '{}'; there are eae, hse and none", name);
}

std::string_view priority_name(Priority priority) noexcept {
  switch (priority) {
  case Priority::kLow: return "low";
  case Priority::kHigh: return "high";
  case Priority::kNormal: break;
  }
  return "normal";
}

Result<Priority> priority_from_name(std::string_view name) {
  for (const auto priority : {Priority::kLow, Priority::kNormal, Priority::kHigh}) {
    if (name == priority_name(priority)) return priority;
  }
  return make_error(Code::kInvalidArgument, "no priority is called '{}'; there are low, normal and high", name);
}

std::string_view task_state_name(TaskState state) noexcept {
  switch (state) {
  case TaskState::kRunning: return "running";
  case TaskState::kSucceeded: return "succeeded";
  case TaskState::kFailed: return "failed";
  case TaskState::kCancelled: return "cancelled";
  case TaskState::kExpired: return "expired";
  case TaskState::kWaiting: break;
  }
  return "waiting";
}

Result<std::string> Client::submit(const std::string&, BytesView, const SubmitOptions&) { return keeps_no_tasks(); }
Result<TaskOutcome> Client::task_wait(const std::string&, std::chrono::milliseconds, Protection) {
  return keeps_no_tasks();
}
Result<TaskInfo> Client::task_cancel(const std::string&) { return keeps_no_tasks(); }
Result<TaskOutcome> Client::task_open(BytesView, Protection) { return keeps_no_tasks(); }
Result<std::vector<TaskInfo>> Client::task_list() { return keeps_no_tasks(); }

Result<CallResult> Client::call(const std::string& function, BytesView body, const CallOptions& options) {
  return call_whole(function, body, options);
}

std::future<Result<CallResult>> Client::call_async(std::string function, Bytes body, CallOptions options) {
  return std::async(std::launch::async, [this, function = std::move(function), body = std::move(body),
                                         options = std::move(options)] { return call(function, body, options); });
}

} // namespace tcfdl
