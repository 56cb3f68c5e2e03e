// One stored task on one connection to an instance: its body from the file, its result into a file.
#pragma once

#include "courier/ports.hpp"
#include "courier/task_store.hpp"

namespace tcfdl::courier {

/// How far it came.
struct Presented {
  bool accepted = false;                    ///< the handler may have begun
  std::optional<Error> refused;             ///< the instance's words: the handler did not run
  wire::ResultHead head;                    ///< of a result
  std::optional<wire::ResultHeader> header; ///< of `head`, as far as the platform may read it; nothing: no result
  bool too_large = false;                   ///< the result, for the job's bound
  std::int64_t size = 0;                    ///< bytes of the result's segments
};

/// A connection to an instance, after its hello. UNAVAILABLE where another answers.
struct InstanceLink {
  std::unique_ptr<wire::Connection> connection;
  wire::Hello hello;

  static Result<InstanceLink> open(Instances& instances, const std::string& node, const std::string& instance,
                                   Deadline deadline);
};

/// Sends the task and receives what becomes of it; `on_accepted` is called in between. Errors when the connection
/// broke, the deadline passed, or RESOURCE_EXHAUSTED for a result beyond the job's bound or the disk's room.
Status present(InstanceLink& link, Instances& instances, const Job& job, const wire::LeaseGrant& grant,
               unsigned attempt, Deadline deadline, const std::function<void()>& on_accepted, Presented& out);

/// Tells an instance to end a task that this master presented. NOT_FOUND when it does not run there.
Status cancel_at(Instances& instances, const Job& job, Deadline deadline);

} // namespace tcfdl::courier
