// The task manager for workers on other machines: by streams of the message queue, whose connections are protected, in
// place of its TCP port.
#pragma once

#include "message_queue/stream.hpp"
#include "wire/listener.hpp"

namespace tcfdl::node {

/// Streams that a master's task manager serves at a time.
constexpr std::size_t kMostTaskStreams = 1024;

/// At the master: serves a stream as the TCP port serves a connection. A thread a stream. The bus outlives it.
class TaskStreams {
public:
  static Result<std::unique_ptr<TaskStreams>> start(message_queue::Bus& bus, wire::Sessions::Serve serve);
  TaskStreams(const TaskStreams&) = delete;
  TaskStreams& operator=(const TaskStreams&) = delete;
  ~TaskStreams() { stop(); }
  void stop() noexcept;

private:
  explicit TaskStreams(wire::Sessions::Serve serve) : serve_(std::move(serve)) {}
  void begin(std::unique_ptr<message_queue::NatsStream> stream);

  const wire::Sessions::Serve serve_;
  wire::Sessions sessions_{kMostTaskStreams};
  std::optional<message_queue::StreamListener> listener_;
};

/// At a worker: every connection to `here` leads to the master's task manager. The bus outlives it.
Result<std::unique_ptr<wire::Listener>> relay_tasks(message_queue::Bus& bus, const std::string& node,
                                                    const wire::Address& here);

} // namespace tcfdl::node
