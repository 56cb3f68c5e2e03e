#include "collaboration/relay_server.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"

namespace tcfdl::collaboration {

Result<std::unique_ptr<RelayServer>> RelayServer::start(message_queue::Bus& bus, const std::string& node,
                                                        OpenOnward open) {
  std::unique_ptr<RelayServer> server(new RelayServer(std::move(open)));
  TCFDL_ASSIGN(auto listener, message_queue::StreamListener::listen(
                                  bus, relay_subject(node),
                                  [raw = server.get()](std::unique_ptr<message_queue::NatsStream> stream,
                                                       BytesView hello) { raw->begin(std::move(stream), hello); },
                                  relay_stream(node)));
  server->listener_.emplace(std::move(listener));
  return server;
}

void RelayServer::stop() noexcept {
  listener_.reset();
  sessions_.stop();
}

void RelayServer::begin(std::unique_ptr<message_queue::NatsStream> stream, BytesView hello) {
  const auto wanted = wire::parse<wire::OpenRelay>(hello);
  if (!wanted) return; // dropping the stream refuses it
  const auto begun = sessions_.begin(std::make_unique<StreamConnection>(std::move(stream)),
                                     [this, relay = *wanted](wire::Connection& remote) { serve(remote, relay); });
  if (!begun) spdlog::warn("cannot relay to {}: {}", wanted->instance(), begun.error().message());
}

void RelayServer::serve(wire::Connection& remote, const wire::OpenRelay& relay) const {
  const auto onward = open_(relay);
  if (onward) {
    splice(remote, **onward);
  } else {
    spdlog::info("cannot relay to {}: {}", relay.instance(), onward.error().message());
  }
}

} // namespace tcfdl::collaboration
