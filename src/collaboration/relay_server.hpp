// The far end of relayed routes: streams of the message queue to instances of this node.
#pragma once

#include "collaboration/stream_connection.hpp"
#include "wire/messages.hpp"

#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace tcfdl::collaboration {

/// Opens a local connection to an instance of this node. NOT_FOUND for one that is not here.
using OpenInstance = std::function<Result<std::unique_ptr<wire::Connection>>(const std::string& instance)>;

/// A thread a stream. The bus outlives it. Destructor = stop.
class RelayServer {
public:
  static Result<std::unique_ptr<RelayServer>> start(message_queue::Bus& bus, const std::string& node,
                                                    OpenInstance open);
  RelayServer(const RelayServer&) = delete;
  RelayServer& operator=(const RelayServer&) = delete;
  ~RelayServer() { stop(); }
  void stop() noexcept;

private:
  struct Session {
    explicit Session(std::unique_ptr<message_queue::NatsStream> stream) : remote(std::move(stream)) {}
    StreamConnection remote;
    std::thread thread;
    bool ended = false;
  };

  explicit RelayServer(OpenInstance open) : open_(std::move(open)) {}
  void begin(std::unique_ptr<message_queue::NatsStream> stream, BytesView hello);
  void serve(Session& session, const std::string& instance);
  void reap();

  OpenInstance open_;
  std::mutex mutex_;
  std::list<Session> sessions_; // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  std::optional<message_queue::StreamListener> listener_;
};

} // namespace tcfdl::collaboration
