// Calls functions by name. The body is sealed here and opened only inside the instance that runs the task.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <tcfdl/bytes.hpp>
#include <tcfdl/result.hpp>
#include <vector>

namespace tcfdl {

/// How a task's data is protected on its way. `kEae`: end to end by proxy re-encryption (paper, section 3.2). `kHse`:
/// hop by hop (section 3.1); the TEE proxies on the way open it and seal it again.
enum class Protection : std::uint8_t { kNone, kEae, kHse };

std::string_view protection_name(Protection protection) noexcept;

/// INVALID_ARGUMENT for any word but `eae`, `hse` and `none`.
Result<Protection> protection_from_name(std::string_view name);

/// Before whom a task is served that waits in a function's queue. Ordered: the larger first.
enum class Priority : std::uint8_t { kLow, kNormal, kHigh };

std::string_view priority_name(Priority priority) noexcept;

/// INVALID_ARGUMENT for any word but `low`, `normal` and `high`.
Result<Priority> priority_from_name(std::string_view name);

struct CallOptions {
  Protection protection = Protection::kEae;
  /// The whole call, all attempts and all hops.
  std::chrono::milliseconds timeout{30'000};
  /// Only this cluster may run the task; empty: the best of all.
  std::string cluster;
  /// The least assurance class that may process the task, `software` or `hardware`; empty: any that the function's
  /// owner admits. PERMISSION_DENIED where the function is offered in a lower one: the data does not leave the caller.
  std::string assurance;
  /// Only by this way to the instance, as in `CallReport::route`: to measure or to search for a fault. Empty: the best.
  /// Not with `kHse`.
  std::string route;
  /// A UUID that makes the call idempotent; empty: a new one is drawn.
  std::string task_id;
  std::string content_type = "application/octet-stream";
  /// PERMISSION_DENIED for more than the cluster permits this caller; without a permit that is `kNormal`.
  Priority priority = Priority::kNormal;
  /// Where a queue is full and the cluster says when to come again: waits so long, with jitter, and asks again, as
  /// often as the wait ends before the timeout. Else the call fails at once with RESOURCE_EXHAUSTED and `retry_after`.
  bool retry_busy = true;
  /// Asks for a receipt: what ran where on which data, signed inside the instance. It costs hashing both bodies.
  bool receipt = false;
  /// The W3C trace context that the call is part of, as the fields of HTTP have it. What is malformed is ignored;
  /// without one the call begins a trace of its own, whose id is that of the task.
  std::string traceparent;
  std::string tracestate;
  /// Of gateways: the client that called them. A cluster believes it of nobody else.
  std::string on_behalf_of;
  /// Cancels the call; the running handler is told.
  std::stop_token cancel;
};

/// Where a task ran and where its time went, all times in microseconds.
struct CallReport {
  std::string task_id;
  std::string trace_id; ///< in W3C trace context, hexadecimal
  std::string function;
  std::string cluster;
  std::string node;
  std::string instance;
  std::string tee_kind;
  Protection protection = Protection::kEae;
  /// The way to the instance: `local` (a socket of its node), `tcp`, `tls`, `relay` (through the cluster's master) or
  /// `proxies`.
  std::string route;
  /// Under `kHse` the TEE proxies that opened and sealed the data, in order from the caller.
  std::vector<std::string> proxies;
  /// How often each piece of data was sealed in one direction: 1 under `kEae`, proxies + 1 under `kHse`, else 0.
  unsigned seals = 0;
  unsigned attempts = 1;
  std::uint64_t seal_us = 0;     ///< making the capsule and sealing the body
  std::uint64_t wait_us = 0;     ///< in the function's queue, until the lease
  std::uint64_t transfer_us = 0; ///< on the way, both directions
  std::uint64_t run_us = 0;      ///< in the handler, and opening and sealing around it
  std::uint64_t open_us = 0;     ///< opening the result
  /// The receipt that was asked for, verified but for the bodies; `tcfdl receipt verify` reads it. Whoever has it can
  /// try guesses of the data.
  Bytes receipt;
};

struct CallResult {
  Bytes body;
  CallReport report;
};

/// The longest that a submitted task may take from its submission to its end, waiting included: the capsule in which
/// its data is sealed ends soon after.
constexpr std::chrono::minutes kLongestTask{9};

/// How a task is submitted that its caller does not wait for.
struct SubmitOptions {
  /// `kEae`, or `kNone` where the function admits it. What is sealed hop by hop cannot be stored.
  Protection protection = Protection::kEae;
  /// From the submission to the end of the task; at most `kLongestTask`.
  std::chrono::milliseconds timeout = kLongestTask;
  /// As in `CallOptions`.
  std::string assurance;
  /// A UUID that makes the submission idempotent; empty: a new one is drawn.
  std::string task_id;
  std::string content_type = "application/octet-stream";
  Priority priority = Priority::kNormal;
  /// URL to which the cluster posts the task when it has ended, its result still sealed: `Client::task_open` reads what
  /// comes. PERMISSION_DENIED where the cluster's operator does not admit it. Empty: nobody is told.
  std::string callback;
  /// As in `CallOptions`.
  std::string traceparent;
  std::string tracestate;
};

/// What becomes of a submitted task. The last four are ends.
enum class TaskState : std::uint8_t { kWaiting, kRunning, kSucceeded, kFailed, kCancelled, kExpired };

/// `waiting`, `running`, `succeeded`, `failed`, `cancelled` or `expired`.
std::string_view task_state_name(TaskState state) noexcept;

/// A submitted task as its cluster knows it. Times are Unix milliseconds, 0 for what did not happen yet.
struct TaskInfo {
  std::string task_id;
  std::string function;
  TaskState state = TaskState::kWaiting;
  std::int64_t submitted_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t finished_ms = 0;
  std::int64_t expires_ms = 0; ///< its deadline
  std::string instance;        ///< that runs or ran it
  std::string node;
  std::uint64_t run_us = 0; ///< in the handler
  Priority priority = Priority::kNormal;
  /// Why it ended without success, with gRPC's code names. A handler's own text is sealed: `task_get` and `task_wait`
  /// open it, in lists it is missing.
  std::optional<Error> error;

  [[nodiscard]] bool ended() const noexcept { return state != TaskState::kWaiting && state != TaskState::kRunning; }
};

struct TaskOutcome {
  TaskInfo info;
  Bytes result; ///< of a task that succeeded; opened here
};

/// Reads a body piece by piece.
class BodyReader {
public:
  virtual ~BodyReader() = default;
  /// Fills the front of `out` and returns how much; 0 is the end. Every byte returned is authentic and in order.
  virtual Result<std::size_t> read(std::span<std::uint8_t> out) = 0;
  /// How many bytes there are in all; nullopt where that is not known before the end.
  [[nodiscard]] virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
  /// Begins again, for another attempt; false where it cannot.
  virtual bool rewind() { return false; }
};

/// Takes a body piece by piece.
class BodyWriter {
public:
  virtual ~BodyWriter() = default;
  virtual Status write(BytesView piece) = 0;
  /// Sends what was written, which else may wait until there is more: for results whose pieces are of use by
  /// themselves.
  virtual Status flush() { return {}; }
};

/// A caller of functions. Thread-safe; calls in flight end before the destructor returns.
class Client {
public:
  /// Connects as the context file says (`tcfdl up` writes one). Empty `name`: TCFDL_CONTEXT, else the current one.
  static Result<std::unique_ptr<Client>> connect(const std::string& name = {});
  virtual ~Client() = default;

  /// Calls `function` with a whole body. Errors are the platform's or the handler's, with gRPC's code names:
  /// NOT_FOUND no such function, UNAVAILABLE no instance within the deadline or the instance was lost,
  /// RESOURCE_EXHAUSTED the queue is full (`Error::retry_after` tells when to come again), DEADLINE_EXCEEDED,
  /// CANCELLED.
  Result<CallResult> call(const std::string& function, BytesView body, const CallOptions& options = {});

  /// The same, in the background. `body` is copied.
  std::future<Result<CallResult>> call_async(std::string function, Bytes body, CallOptions options = {});

  /// The same, with a body that is read and a result that is written while it comes. A call is attempted again only
  /// where its reader rewinds and nothing of a result was written.
  virtual Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                                  const CallOptions& options) = 0;

  /// Leaves a task to the cluster and returns its id once it is stored there, sealed: it outlives this process and the
  /// cluster's. A repeat with the same id and body is the same task. Errors beside those of a call: INVALID_ARGUMENT
  /// for a timeout above `kLongestTask`, ALREADY_EXISTS for an id that was used with another body,
  /// RESOURCE_EXHAUSTED says which quota is spent, FAILED_PRECONDITION for functions that keep instances apart.
  virtual Result<std::string> submit(const std::string& function, BytesView body, const SubmitOptions& options = {});

  /// A task of this caller, with its result if it is there. NOT_FOUND for what it did not submit, and for what was
  /// pruned. `protection`: with which it was submitted; UNAUTHENTICATED for a result with less.
  Result<TaskOutcome> task_get(const std::string& id, Protection protection = Protection::kEae) {
    return task_wait(id, std::chrono::milliseconds(0), protection);
  }
  /// The same after its end, or as it is after `timeout`.
  virtual Result<TaskOutcome> task_wait(const std::string& id, std::chrono::milliseconds timeout,
                                        Protection protection = Protection::kEae);
  /// A task from the body that a callback brought: docs/formats/task_document.md. INVALID_ARGUMENT for what is none,
  /// UNAUTHENTICATED for a result that was changed or is of another task.
  virtual Result<TaskOutcome> task_open(BytesView document, Protection protection = Protection::kEae);
  /// Ends a task: it does not start, or its handler is told. What had ended before stays as it is.
  virtual Result<TaskInfo> task_cancel(const std::string& id);
  /// The tasks of this caller, newest first.
  virtual Result<std::vector<TaskInfo>> task_list();

protected:
  virtual Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) = 0;
};

} // namespace tcfdl
