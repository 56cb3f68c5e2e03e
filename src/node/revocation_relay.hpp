// The way of revocation lists from the service manager through the master to its nodes' proxies.
#pragma once

#include "node/service_manager_client.hpp"
#include "wire/revocations.hpp"

#include <condition_variable>
#include <thread>

namespace tcfdl::node {

/// What the relay stands between; all outlive it.
struct RevocationRelayParts {
  message_queue::Bus& bus;
  message_queue::Bus& service_manager_bus;
  ServiceManagerClient& service_manager;
};

/// Passes on what the service manager tells, asks it every few seconds in case that it was not heard, and tells nodes
/// again whose heartbeat shows an older list. One thread; `on_node` from any.
class RevocationRelay {
public:
  /// Errors of `wire::Revocations::open` and of the bus.
  static Result<std::unique_ptr<RevocationRelay>>
  start(const RevocationRelayParts& parts, const std::filesystem::path& file, const crypto::VerifyKey& authority);
  RevocationRelay(const RevocationRelay&) = delete;
  RevocationRelay& operator=(const RevocationRelay&) = delete;
  ~RevocationRelay() { stop(); }
  void stop() noexcept;

  /// What the master itself goes by.
  [[nodiscard]] const wire::Revocations& known() const noexcept { return *known_; }
  /// A heartbeat: the node's proxy knows the list of that number.
  void on_node(std::uint64_t number);
  /// Asks the service manager now.
  Status ask(Deadline deadline);

private:
  RevocationRelay(const RevocationRelayParts& parts, std::unique_ptr<wire::Revocations> known)
      : parts_(parts), known_(std::move(known)) {}
  void handle(const wire::Signed& unverified);
  void tell();
  void run();

  const RevocationRelayParts parts_;
  const std::unique_ptr<wire::Revocations> known_;
  message_queue::Subscription subscription_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false; // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::node
