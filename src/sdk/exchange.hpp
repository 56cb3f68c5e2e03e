// One task on one connection to an instance: request out, result in.
#pragma once

#include "sdk/capsule_session.hpp"
#include "sdk/instance_pool.hpp"
#include "wire/body.hpp"

#include <stop_token>

namespace tcfdl::sdk {

/// A body to send, perhaps more than once.
class RequestBody {
public:
  virtual ~RequestBody() = default;
  /// The size in bytes; nullopt when it is not known.
  [[nodiscard]] virtual std::optional<std::uint64_t> size() const = 0;
  /// Prepares for another `send`; false when there cannot be one.
  virtual bool restart() = 0;
  virtual Status send(wire::SegmentWriter& writer) = 0;
};

/// Where a result goes.
class ResultSink {
public:
  virtual ~ResultSink() = default;
  /// Forgets what an earlier attempt gave; false when it cannot.
  virtual bool restart() = 0;
  virtual Status write(BytesView piece) = 0;
};

/// What one exchange needs to know; references outlive it.
struct ExchangeInput {
  const Identity& identity;
  const wire::LeaseGrant& grant;
  const wire::SealedHeader& header;
  const ReadyCapsule* capsule; ///< nullptr: no protection
  unsigned attempt;
  Deadline deadline;
  bool goes_on = false;                       ///< under the burst lease that the connection has shown
  std::chrono::milliseconds accept_within{0}; ///< for small bodies; 0: until the deadline
  std::string_view traceparent = {};
  std::string_view tracestate = {};
};

/// How far it came and what it cost, microseconds.
struct ExchangeOutput {
  bool accepted = false;  ///< the handler may have run
  bool answered = false;  ///< the error is the task's own outcome, not the platform's
  bool in_step = false;   ///< the connection can carry the next task
  bool may_begin = false; ///< the instance may have all that it needs, and said nothing
  std::uint64_t seal_us = 0;
  std::uint64_t run_us = 0;
  std::uint64_t open_us = 0;
  std::uint64_t total_us = 0;
  Bytes receipt{}; ///< of a success that was asked for with one; unverified
};

/// Runs one task. Errors are the handler's (`output.answered`), the instance's, or UNAVAILABLE when the connection
/// broke or the instance does not answer: `output.accepted` tells whether the handler may have run, and
/// `output.may_begin` whether it may run nevertheless.
Status exchange_task(InstanceConnection& instance, const ExchangeInput& input, RequestBody& body, ResultSink& result,
                     ExchangeOutput& output);

} // namespace tcfdl::sdk
