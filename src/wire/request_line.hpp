// Requests and their replies, in turn, on one connection.
#pragma once

#include "wire/connection.hpp"
#include "wire/messages.hpp"

#include <mutex>

namespace tcfdl::wire {

/// One request is on its way at a time; who waits for a turn waits until its deadline. A request whose deadline passed
/// is forgotten here and not at the peer: its reply is skipped when it comes. Thread-safe.
template <class Reply> class RequestLine {
public:
  /// Of a connection whose `receive` goes on after DEADLINE_EXCEEDED, to a peer that answers each request, in order.
  explicit RequestLine(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

  /// DEADLINE_EXCEEDED; UNAVAILABLE when the peer is gone, then for good.
  template <class Request> Result<Reply> exchange(const Request& request, Deadline deadline) {
    const std::unique_lock turn(turn_, deadline.when());
    if (!turn) return Deadline::exceeded("the wait for earlier requests");
    if (const auto sent = send_message(*connection_, request, deadline); !sent) {
      connection_->shutdown(); // a part may have left
      return sent.error();
    }
    for (++owed_;;) {
      TCFDL_ASSIGN(auto reply, receive_message<Reply>(*connection_, deadline));
      if (--owed_ == 0) return reply;
    }
  }

  /// Ends the connection: requests that wait and later ones fail with UNAVAILABLE.
  void shutdown() noexcept { connection_->shutdown(); }

private:
  const std::shared_ptr<Connection> connection_;
  std::timed_mutex turn_;
  unsigned owed_ = 0; // replies; guarded by turn_
};

} // namespace tcfdl::wire
