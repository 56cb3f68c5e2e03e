// Calls functions by name. The body is sealed here and opened only inside the instance that runs the task.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <tcfdl/bytes.hpp>
#include <tcfdl/result.hpp>

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
  /// Of gateways: the client that called them. A cluster believes it of nobody else.
  std::string on_behalf_of;
  /// Cancels the call; the running handler is told.
  std::stop_token cancel;
};

/// Where a task ran and where its time went, all times in microseconds.
struct CallReport {
  std::string task_id;
  std::string function;
  std::string cluster;
  std::string node;
  std::string instance;
  std::string tee_kind;
  Protection protection = Protection::kEae;
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

/// Reads a body piece by piece.
class BodyReader {
public:
  virtual ~BodyReader() = default;
  /// Fills the front of `out` and returns how much; 0 is the end. Every byte returned is authentic and in order.
  virtual Result<std::size_t> read(std::span<std::uint8_t> out) = 0;
};

/// Takes a body piece by piece.
class BodyWriter {
public:
  virtual ~BodyWriter() = default;
  virtual Status write(BytesView piece) = 0;
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

  /// The same, with a body that is read and a result that is written while it comes. A call whose reader has begun
  /// is not attempted twice.
  virtual Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                                  const CallOptions& options) = 0;

protected:
  virtual Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) = 0;
};

} // namespace tcfdl
