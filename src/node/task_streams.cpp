#include "node/task_streams.hpp"

#include "base/log.hpp"
#include "collaboration/stream_connection.hpp"
#include "collaboration/subjects.hpp"

namespace tcfdl::node {
namespace {

message_queue::StreamSettings task_streams(const std::string& opener) {
  auto settings = collaboration::relay_stream(collaboration::kTasksStreams, opener);
  settings.most_streams = kMostTaskStreams;
  return settings;
}

} // namespace

Result<std::unique_ptr<TaskStreams>> TaskStreams::start(message_queue::Bus& bus, wire::Sessions::Serve serve) {
  std::unique_ptr<TaskStreams> streams(new TaskStreams(std::move(serve)));
  TCFDL_ASSIGN(auto listener, message_queue::StreamListener::listen(
                                  bus, collaboration::tasks_subject("*"),
                                  [raw = streams.get()](std::unique_ptr<message_queue::NatsStream> stream,
                                                        BytesView /*hello*/) { raw->begin(std::move(stream)); },
                                  task_streams({})));
  streams->listener_.emplace(std::move(listener));
  return streams;
}

void TaskStreams::stop() noexcept {
  listener_.reset();
  sessions_.stop();
}

void TaskStreams::begin(std::unique_ptr<message_queue::NatsStream> stream) {
  const auto begun = sessions_.begin(std::make_unique<collaboration::StreamConnection>(std::move(stream)), serve_);
  if (!begun) spdlog::warn("a worker's connection to the task manager is refused: {}", begun.error().message());
}

Result<std::unique_ptr<wire::Listener>> relay_tasks(message_queue::Bus& bus, const std::string& node,
                                                    const wire::Address& here) {
  return wire::Listener::start(here, {.name = "tasks"}, [&bus, node](wire::Connection& local) {
    auto stream = message_queue::open_stream(bus, collaboration::tasks_subject(node), {},
                                             Deadline::after(std::chrono::seconds(10)), task_streams(node));
    if (!stream) {
      spdlog::warn("the master's task manager is not reached: {}", stream.error().message());
      return;
    }
    collaboration::StreamConnection remote(*std::move(stream));
    collaboration::splice(local, remote);
  });
}

} // namespace tcfdl::node
