#include "gateway/stream.hpp"

#include "gateway/invoke.hpp"
#include "gateway/options.hpp"
#include "http/problem.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

namespace tcfdl::gateway {
namespace {

constexpr int kMostStreams = 16;
constexpr std::size_t kMostHeld = std::size_t{256} << 10U;

/// How many streams there are; each takes a thread of the server's while it is waited for.
using Places = std::shared_ptr<std::atomic<int>>;

class WholeReader final : public BodyReader {
public:
  explicit WholeReader(BytesView body) : body_(body) {}
  Result<std::size_t> read(std::span<std::uint8_t> out) override {
    const auto taken = std::min(out.size(), body_.size() - position_);
    if (taken > 0) std::memcpy(out.data(), body_.data() + position_, taken);
    position_ += taken;
    return taken;
  }
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return body_.size(); }
  bool rewind() override {
    position_ = 0;
    return true;
  }

private:
  BytesView body_;
  std::size_t position_ = 0;
};

/// A call in a thread of its own, and what it has given and nobody has taken yet. It is cancelled when this goes.
class RunningCall final : public BodyWriter {
public:
  RunningCall(Client& client, std::string function, Bytes body, CallOptions options, const std::stop_token& gone,
              Places places)
      : places_(std::move(places)), body_(std::move(body)), on_gone_(gone, Stop{cancel_}) {
    options.cancel = cancel_.get_token();
    thread_ = std::jthread([this, &client, function = std::move(function), options = std::move(options)] {
      WholeReader reader(body_);
      auto report = client.call(function, reader, *this, options);
      const std::scoped_lock lock(mutex_);
      ended_ = true;
      if (!report) error_ = report.error();
      changed_.notify_all();
    });
  }
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;
  ~RunningCall() override {
    cancel_.request_stop();
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
      changed_.notify_all();
    }
    thread_.join();
    --*places_;
  }

  /// Waits for the first piece or the end. The error of a call that gave nothing.
  Status wait_for_begin() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || !held_.empty(); });
    if (error_ && held_.empty()) return *error_;
    return {};
  }

  /// The next piece; 0 at the end.
  Result<std::size_t> read(std::span<std::uint8_t> out) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || !held_.empty(); });
    if (held_.empty() && error_) return *error_;
    const auto taken = std::min(out.size(), held_.size());
    std::copy_n(held_.begin(), taken, out.begin());
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(taken));
    changed_.notify_all();
    return taken;
  }

  /// Waits while much is held.
  Status write(BytesView piece) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || held_.size() < kMostHeld; });
    if (closed_) return Error(Code::kCancelled, "nobody reads the result any more");
    held_.insert(held_.end(), piece.begin(), piece.end());
    changed_.notify_all();
    return {};
  }

private:
  struct Stop {
    std::stop_source source;
    void operator()() { source.request_stop(); }
  };

  const Places places_;
  const Bytes body_;
  std::stop_source cancel_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Bytes held_;                 // guarded by mutex_, as the next three
  std::optional<Error> error_; // of a call that ended with one
  bool ended_ = false;
  bool closed_ = false; // nobody reads any more
  std::stop_callback<Stop> on_gone_;
  std::jthread thread_;
};

Result<http::Response> stream(Client& client, Callers& callers, const Places& places, const http::Request& request) {
  TCFDL_ASSIGN(auto admitted, admit_call(callers, request));
  if (++*places > kMostStreams) {
    --*places;
    return make_error(Code::kResourceExhausted, "{} results are being streamed, as many as may be", kMostStreams);
  }
  const auto call = std::make_shared<RunningCall>(client, std::move(admitted.function), request.body,
                                                  std::move(admitted.options), request.stop, places);
  TCFDL_TRY(call->wait_for_begin());
  auto response = http::Response::of(200, "application/octet-stream", {});
  response.stream = [call](std::span<std::uint8_t> out) { return call->read(out); };
  return response;
}

} // namespace

void add_stream_route(http::Server& server, Client& client, Callers& callers) {
  server.add("POST", "/v1/functions/{name...}/stream",
             [&client, &callers, places = std::make_shared<std::atomic<int>>(0)](const http::Request& request) {
               auto response = stream(client, callers, places, request);
               return response ? *std::move(response) : http::problem(response.error(), request.path);
             },
             {.max_body = kMaxBody});
}

} // namespace tcfdl::gateway
