#include "collaboration/relay_server.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"

namespace tcfdl::collaboration {

Result<std::unique_ptr<RelayServer>> RelayServer::start(message_queue::Bus& bus, const std::string& node,
                                                        OpenInstance open) {
  std::unique_ptr<RelayServer> server(new RelayServer(std::move(open)));
  TCFDL_ASSIGN(auto listener, message_queue::StreamListener::listen(
                                  bus, relay_subject(node),
                                  [raw = server.get()](std::unique_ptr<message_queue::NatsStream> stream,
                                                       BytesView hello) { raw->begin(std::move(stream), hello); }));
  server->listener_.emplace(std::move(listener));
  return server;
}

void RelayServer::stop() noexcept {
  listener_.reset();
  std::list<Session> sessions;
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    for (auto& session : sessions_) session.remote.shutdown();
  }
  for (auto& session : sessions_) session.thread.join();
}

void RelayServer::begin(std::unique_ptr<message_queue::NatsStream> stream, BytesView hello) {
  const auto wanted = wire::parse<wire::OpenRelay>(hello);
  if (!wanted) return; // dropping the stream refuses it
  reap();
  const std::scoped_lock lock(mutex_);
  if (stopping_) return;
  auto& session = sessions_.emplace_back(std::move(stream));
  session.thread = std::thread([this, &session, instance = wanted->instance()] { serve(session, instance); });
}

void RelayServer::serve(Session& session, const std::string& instance) {
  auto local = open_(instance);
  if (local) {
    splice(session.remote, **local);
  } else {
    spdlog::info("cannot relay to {}: {}", instance, local.error().message());
    session.remote.shutdown();
  }
  const std::scoped_lock lock(mutex_);
  session.ended = true;
}

void RelayServer::reap() {
  std::list<Session> ended;
  {
    const std::scoped_lock lock(mutex_);
    for (auto at = sessions_.begin(); at != sessions_.end();) {
      const auto next = std::next(at);
      if (at->ended) ended.splice(ended.end(), sessions_, at);
      at = next;
    }
  }
  for (auto& session : ended) session.thread.join();
}

} // namespace tcfdl::collaboration
