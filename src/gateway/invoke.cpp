#include "gateway/invoke.hpp"

#include "base/ids.hpp"
#include "gateway/options.hpp"
#include "http/problem.hpp"

#include <fmt/ranges.h>

namespace tcfdl::gateway {
namespace {

Result<CallResult> invoke(const InvokeParts& parts, const http::Request& request) {
  TCFDL_ASSIGN(auto admitted, admit_call(parts.callers, request));
  admitted.options.cancel = request.stop;
  return in_span(parts, "POST /v1/functions/{name}/invoke", admitted.options,
                 [&] { return parts.client.call(admitted.function, request.body, admitted.options); });
}

http::Response answer(const InvokeParts& parts, const http::Request& request) {
  auto result = invoke(parts, request);
  if (!result) return http::problem(result.error(), request.path);
  auto response = http::Response::of(200, "application/octet-stream", {});
  response.body = std::move(result->body);
  add_report(response, result->report);
  return response;
}

} // namespace

Result<CallOptions> options_of(const http::Request& request) {
  CallOptions options;
  for (const auto& [key, value] : request.query) {
    if (key == "cluster") {
      TCFDL_TRY(check_label(value, "cluster"));
      options.cluster = value;
      continue;
    }
    TCFDL_ASSIGN(const bool known, take_parameter(key, value, options));
    if (!known) {
      return make_error(Code::kInvalidArgument,
                        "the call has no parameter '{}'; it has timeout, protection, cluster and assurance", key);
    }
  }
  TCFDL_TRY(take_fields(request, options));
  options.retry_busy = false; // the caller waits without its body in our memory
  return options;
}

Result<AdmittedCall> admit_call(Callers& callers, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, parse_function_name(request.param("name")));
  TCFDL_TRY(callers.check_call(request, name.str()));
  TCFDL_ASSIGN(auto options, options_of(request));
  options.on_behalf_of = client_of(request);
  return AdmittedCall{name.str(), std::move(options)};
}

void add_report(http::Response& response, const CallReport& report) {
  response.headers.add("Tcfdl-Task-Id", report.task_id);
  response.headers.add("Tcfdl-Trace-Id", report.trace_id);
  response.headers.add("Tcfdl-Cluster", report.cluster);
  response.headers.add("Tcfdl-Node", report.node);
  response.headers.add("Tcfdl-Instance", report.instance);
  response.headers.add("Tcfdl-Tee-Kind", report.tee_kind);
  response.headers.add("Tcfdl-Protection", std::string(protection_name(report.protection)));
  response.headers.add("Tcfdl-Route", report.route);
  if (!report.proxies.empty()) {
    response.headers.add("Tcfdl-Proxies", fmt::to_string(fmt::join(report.proxies, ", ")));
  }
  const auto millis = [](std::uint64_t micros) { return static_cast<double>(micros) / 1000.0; };
  response.headers.add(
      "Server-Timing",
      fmt::format("seal;dur={:.3f}, wait;dur={:.3f}, transfer;dur={:.3f}, run;dur={:.3f}, open;dur={:.3f}",
                  millis(report.seal_us), millis(report.wait_us), millis(report.transfer_us), millis(report.run_us),
                  millis(report.open_us)));
}

http::Handler counted(const InvokeParts& parts, http::Handler handler) {
  return [&figures = parts.figures, handler = std::move(handler)](const http::Request& request) {
    const auto start = Deadline::Clock::now();
    auto response = handler(request);
    const std::chrono::duration<double> spent = Deadline::Clock::now() - start;
    figures.add(response.status, spent.count(), request.body.size(), response.body.size());
    return response;
  };
}

void add_invoke_route(http::Server& server, const InvokeParts& parts) {
  server.add("POST", "/v1/functions/{name...}/invoke",
             counted(parts, [parts](const http::Request& request) { return answer(parts, request); }),
             {.max_body = kMaxBody});
}

} // namespace tcfdl::gateway
