#include "wire/sessions.hpp"

#include <utility>

namespace tcfdl::wire {

Status Sessions::begin(std::unique_ptr<Connection> connection, Serve serve) {
  join_ended();
  const std::scoped_lock lock(mutex_);
  if (stopping_) return Error(Code::kUnavailable, "no connection is served any more: this part is stopping");
  if (sessions_.size() >= most_) {
    return make_error(Code::kResourceExhausted, "{} connections are open, which is the most", sessions_.size());
  }
  auto& session = sessions_.emplace_back(std::move(connection));
  session.thread = std::thread([this, &session, serve = std::move(serve)] {
    serve(*session.connection);
    session.connection->shutdown();
    const std::scoped_lock ending(mutex_);
    session.ended = true;
  });
  return {};
}

void Sessions::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (auto& session : sessions_) session.connection->shutdown();
  }
  // Nobody adds or removes any more, but for a join_ended that is under way and joins what it took.
  for (auto& session : sessions_) session.thread.join();
}

void Sessions::join_ended() {
  std::list<Session> ended;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto next = std::next(at);
      if (at->ended) ended.splice(ended.end(), sessions_, at);
      at = next;
    }
  }
  for (auto& session : ended) session.thread.join();
}

} // namespace tcfdl::wire
