// How an instance or a gateway hears of the authority's revocation lists: from its proxy, as soon as that has them.
#pragma once

#include "wire/connection.hpp"
#include "wire/revocations.hpp"
#include "wire/socket.hpp"

#include <functional>
#include <thread>

namespace tcfdl::sdk {

/// One connection to the proxy and one thread, which waits on it.
class RevocationWatch {
public:
  /// Called after every answer of the proxy, some seconds apart or at once for a newer list, on the watch's thread;
  /// the first time on the caller's, before `start` returns.
  using OnAnswer = std::function<void(bool is_newer)>;

  /// Has the proxy's list when it returns. `revocations` outlives the watch.
  static Result<std::unique_ptr<RevocationWatch>> start(const wire::Address& proxy, wire::Revocations& revocations,
                                                        OnAnswer on_answer, Deadline deadline);
  RevocationWatch(const RevocationWatch&) = delete;
  RevocationWatch& operator=(const RevocationWatch&) = delete;
  ~RevocationWatch();

private:
  RevocationWatch(std::unique_ptr<wire::Connection> connection, wire::Revocations& revocations, OnAnswer on_answer)
      : connection_(std::move(connection)), revocations_(revocations), on_answer_(std::move(on_answer)) {}
  Status ask(bool at_once, Deadline deadline);
  void run();

  const std::unique_ptr<wire::Connection> connection_;
  wire::Revocations& revocations_;
  const OnAnswer on_answer_;
  std::thread thread_;
};

} // namespace tcfdl::sdk
