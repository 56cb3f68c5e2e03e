#include "gateway/figures.hpp"

#include "http/problem.hpp"

namespace tcfdl::gateway {

void CallFigures::add(int status, double seconds, std::uint64_t body, std::uint64_t answer) {
  answered_.add("POST", std::to_string(status));
  sums_.with([&](Sums& sums) {
    sums.times.add(seconds);
    sums.bodies += body;
    sums.answers += answer;
  });
}

void CallFigures::put_on(metrics::Page& page) const {
  const metrics::Labels server{{"server", "gateway"}};
  answered_.put_on(page, "tcfdl_http_requests_total", "Requests that an HTTP server answered.", "method", "status",
                   server);
  const auto sums = sums_.with([](const Sums& current) { return current; });
  page.durations("tcfdl_http_request_seconds", "From a request's last byte to the first of its answer.", sums.times,
                 server);
  page.counter("tcfdl_http_request_bytes_total", "Bytes of the bodies of requests.", sums.bodies, server);
  page.counter("tcfdl_http_response_bytes_total", "Bytes of the bodies of their answers.", sums.answers, server);
}

void add_metrics_route(http::Server& server, const CallFigures& figures) {
  server.add("GET", "/metrics", [&figures](const http::Request& request) {
    if (!request.tls_certificate.empty()) {
      return http::problem({Code::kPermissionDenied, "metrics are for who has the gateway's token"}, request.path);
    }
    metrics::Page page;
    figures.put_on(page);
    page.add_process();
    return http::Response::of(200, metrics::kMediaType, page.text());
  });
}

} // namespace tcfdl::gateway
