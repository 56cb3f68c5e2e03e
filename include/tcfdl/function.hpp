// Provides a function: the program that an instance runs.
#pragma once

#include <tcfdl/client.hpp>

namespace tcfdl {

/// A message of a topic that triggered a task. Sequence, time of storage and delivery are the word of the cluster.
struct TriggeringMessage {
  std::string topic;
  std::string id;
  std::uint64_t sequence = 0;
  std::uint32_t delivery = 1; ///< counts the deliveries to this function
  std::int64_t published_ms = 0;
  std::int64_t stored_ms = 0;

  /// An earlier delivery may have been handled, in whole or in part.
  [[nodiscard]] bool redelivered() const noexcept { return delivery > 1; }
};

/// One task inside its handler. Valid during the handler only.
class TaskContext {
public:
  virtual ~TaskContext() = default;
  [[nodiscard]] virtual const std::string& task_id() const = 0;
  [[nodiscard]] virtual const std::string& function() const = 0;
  [[nodiscard]] virtual const std::string& caller() const = 0;
  [[nodiscard]] virtual const std::string& content_type() const = 0;
  /// The W3C trace context of what the handler does, for systems that it uses besides; its own calls pass it on by
  /// themselves. `tracestate` is the caller's, often empty.
  [[nodiscard]] virtual std::string traceparent() const = 0;
  [[nodiscard]] virtual const std::string& tracestate() const = 0;
  /// The message that triggered the task; nullptr for a call. Its publisher is the `caller`; a success acknowledges it,
  /// an error has it delivered again. Nobody gets a result.
  [[nodiscard]] virtual const TriggeringMessage* message() const { return nullptr; }
  /// What is left of the task's deadline.
  [[nodiscard]] virtual std::chrono::milliseconds time_left() const = 0;
  /// Asked to stop when the caller cancelled, went away, or the deadline passed.
  [[nodiscard]] virtual std::stop_token cancelled() const = 0;
  /// Calls other functions through the framework, within this task's deadline.
  virtual Result<CallResult> call(const std::string& function, BytesView body, CallOptions options = {}) = 0;
};

/// Takes the whole body, which was verified to its last byte. Called on as many threads as the function's concurrency.
using Handler = std::function<Result<Bytes>(TaskContext&, BytesView body)>;

/// Takes the body while it comes and gives the result while it is made.
using StreamHandler = std::function<Status(TaskContext&, BodyReader&, BodyWriter&)>;

/// Opens the confidential files of the function's bundle, which `serve` does otherwise: for programs that read such
/// files before they serve. In the thread that calls `serve`. FAILED_PRECONDITION outside the platform; else why the
/// files do not open, or why the platform refuses this process.
Status prepare();

/// Provides the function for which this process was started, until it is told to drain: then running tasks end, and it
/// returns the exit code for main. Started by hand, outside the platform, it says so and returns 2.
int serve(Handler handler);
int serve(StreamHandler handler);

} // namespace tcfdl
