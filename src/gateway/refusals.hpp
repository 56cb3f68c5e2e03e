// Requests that the gateway refused, on their way to the audit log of its master.
#pragma once

#include "http/server.hpp"
#include "wire/messages.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace tcfdl::gateway {

struct RefusalsSettings {
  std::chrono::milliseconds every{1000}; ///< between two reports; what is the same within it is one record
  int most = 64;                         ///< records of one report; more are counted together
};

/// Reports on a thread of its own; what cannot be sent is sent with the next report. Destructor = stop: what waits is
/// sent until that fails once.
class Refusals {
public:
  /// Called on the thread of the refusals.
  using Send = std::function<Status(const wire::Refusals&)>;

  explicit Refusals(Send send, RefusalsSettings settings = {});
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;
  ~Refusals();

  /// Takes the request if it was refused for who asked: 401 or 403. Any thread, does not block.
  void note(const http::Answered& request);

private:
  void add(wire::Refusal refusal);
  void run();

  const Send send_;
  const RefusalsSettings settings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  wire::Refusals waiting_; // guarded by mutex_, as is the next
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace tcfdl::gateway
