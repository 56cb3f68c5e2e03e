#include "gateway/invoke.hpp"

#include "base/ids.hpp"
#include "base/units.hpp"
#include "http/problem.hpp"

#include <fmt/ranges.h>

namespace tcfdl::gateway {
namespace {

void add_report(http::Response& response, const CallReport& report) {
  response.headers.add("Tcfdl-Task-Id", report.task_id);
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

Result<CallResult> invoke(Client& client, Callers& callers, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, parse_function_name(request.param("name")));
  TCFDL_TRY(callers.check_call(request, name.str()));
  TCFDL_ASSIGN(auto options, options_of(request));
  options.cancel = request.stop;
  if (!request.tls_certificate.empty() && request.caller) options.on_behalf_of = request.caller->name;
  return client.call(name.str(), request.body, options);
}

} // namespace

Result<CallOptions> options_of(const http::Request& request) {
  CallOptions options;
  for (const auto& [key, value] : request.query) {
    if (key == "timeout") {
      TCFDL_ASSIGN(options.timeout, parse_duration(value));
    } else if (key == "protection") {
      TCFDL_ASSIGN(options.protection, protection_from_name(value));
    } else if (key == "cluster") {
      TCFDL_TRY(check_label(value, "cluster"));
      options.cluster = value;
    } else if (key == "assurance") {
      if (value != "software" && value != "hardware") {
        return make_error(Code::kInvalidArgument, "assurance: '{}' is neither software nor hardware", value);
      }
      options.assurance = value;
    } else {
      return make_error(Code::kInvalidArgument,
                        "the call has no parameter '{}'; it has timeout, protection, cluster and assurance", key);
    }
  }
  options.task_id = request.headers.get("Idempotency-Key");
  if (const auto priority = request.headers.get("Tcfdl-Priority"); !priority.empty()) {
    TCFDL_ASSIGN(options.priority, priority_from_name(priority));
  }
  options.retry_busy = false; // the caller waits without its body in our memory
  if (const auto type = request.headers.get("Content-Type"); !type.empty()) options.content_type = type;
  return options;
}

void add_invoke_route(http::Server& server, Client& client, Callers& callers) {
  server.add("POST", "/v1/functions/{name...}/invoke",
             [&client, &callers](const http::Request& request) {
               auto result = invoke(client, callers, request);
               if (!result) return http::problem(result.error(), request.path);
               auto response = http::Response::of(200, "application/octet-stream", {});
               response.body = std::move(result->body);
               add_report(response, result->report);
               return response;
             },
             {.max_body = kMaxBody});
}

} // namespace tcfdl::gateway
