// A server on a free loopback port with routes to try.
#pragma once

#include "http/client.hpp"
#include "http/problem.hpp"
#include "http/server.hpp"
#include "http/tests/peer.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tcfdl::http {

constexpr auto kToken = "0123456789abcdef";

inline Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

/// Opens once; waits are bounded.
class Gate {
public:
  void open() {
    {
      const std::scoped_lock lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return open_; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

class ServerTest : public testing::Test {
protected:
  void start(ServerSettings settings = {}) {
    settings.authenticate = single_token(kToken);
    server = std::make_unique<Server>(std::move(settings));
    server->add("GET", "/healthz", [](const Request&) { return Response::plain(200, "ok"); }, {.is_public = true});
    server->add("GET", "/v1/functions/{name...}", [](const Request& request) {
      return Response::plain(200, fmt::format("get {}", request.param("name")));
    });
    server->add("POST", "/v1/functions/{name...}/invoke", [](const Request& request) {
      return Response::plain(200, fmt::format("invoke {} with {}", request.param("name"), as_text(request.body)));
    });
    server->add("POST", "/v1/echo", [](const Request& request) {
      return Response::of(200, "application/octet-stream", as_text(request.body));
    });
    server->add("GET", "/v1/wait", [this](const Request& request) {
      const std::stop_callback on_stop(request.stop, [this] { cancelled.open(); });
      entered.open();
      EXPECT_TRUE(leave.wait());
      return Response::plain(200, request.cancelled() ? "cancelled" : "done");
    });
    add_streams();
    const auto status = server->start();
    ASSERT_TRUE(status) << status.error().to_string();
  }

  void add_streams() {
    server->add_streaming("PUT", "/v1/artefacts",
                          [](const Request&, BodySource& source) {
                            Bytes part(1000);
                            std::uint64_t total = 0;
                            for (;;) {
                              const auto count = source.read(part);
                              if (!count) return problem(count.error());
                              if (*count == 0) return Response::plain(200, fmt::format("{}", total));
                              total += *count;
                            }
                          },
                          {.is_public = false, .max_body = 1 << 20});
    server->add("GET", "/v1/logs", [](const Request&) {
      Response response;
      response.content_type = "text/plain";
      response.stream = [line = 0](std::span<std::uint8_t> into) mutable -> Result<std::size_t> {
        if (line == 3) return std::size_t{0};
        const auto text = fmt::format("line {}\n", line++);
        std::ranges::copy(text, into.begin());
        return text.size();
      };
      return response;
    });
  }

  [[nodiscard]] Client client(std::string token = kToken) const {
    return Client({.host = "127.0.0.1", .port = server->port(), .token = std::move(token)});
  }
  [[nodiscard]] Peer peer() const { return Peer(server->port()); }
  [[nodiscard]] static std::string head(const std::string& line, const std::string& more = {}) {
    return fmt::format("{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{}\r\n", line, kToken, more);
  }

  Gate entered, leave, cancelled; // before the server, whose handlers use them
  std::unique_ptr<Server> server;
};

} // namespace tcfdl::http
