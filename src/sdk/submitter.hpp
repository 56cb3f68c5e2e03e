// Tasks that are left to the cluster: sealed here, stored and presented by the master, their results opened here.
#pragma once

#include "sdk/capsule_session.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/known_names.hpp"

namespace tcfdl::sdk {

/// What a caller keeps of a task that it left.
struct Submitted {
  std::string task_id;
  /// Opens what is sealed for this one task, in place of the submitter's x. Empty under `none`, and for a repeat of a
  /// submission, whose task was sealed before.
  crypto::SecretBytes result_key;
};

/// How a result is opened.
struct ResultAccess {
  Protection protection = Protection::kEae; ///< with which the task was submitted
  BytesView key{};                          ///< as `Submitted::result_key`; empty: by the submitter's x
};

/// Thread-safe; references outlive it. `client`: of a gateway, whose task it is; empty: its own.
/// docs/decisions/0013-asynchronous-tasks.md.
class Submitter {
public:
  Submitter(const Identity& identity, TaskManagerClient& task_manager, CapsuleSession& capsules,
            wire::KnownNames& names, const Clock& clock)
      : identity_(identity), task_manager_(task_manager), capsules_(capsules), names_(names), clock_(clock) {}

  // As `Client` has them.
  Result<Submitted> submit(const std::string& function, BytesView body, const SubmitOptions& options,
                           const std::string& client = {});
  /// INVALID_ARGUMENT for a key of another size.
  Result<TaskOutcome> wait(const std::string& id, std::chrono::milliseconds timeout, const ResultAccess& access,
                           const std::string& client = {});
  /// A task from the document that a callback brought.
  Result<TaskOutcome> open(BytesView document, const ResultAccess& access);
  Result<TaskInfo> cancel(const std::string& id, const std::string& client = {});
  Result<std::vector<TaskInfo>> list(const std::string& client = {});

private:
  struct Offered {
    wire::Descriptor descriptor;
    wire::Signed statement; ///< the same, as its owner signed it
    std::string cluster;
    std::string assurance;
  };
  Result<Offered> ask_offer(const std::string& function, const SubmitOptions& options, Deadline deadline);
  Result<std::shared_ptr<const ReadyCapsule>> make_capsule(const Offered& offered, Deadline task, Deadline deadline);
  Status take_outcome(const wire::StoredTask& task, wire::Connection& connection, const ResultAccess& access,
                      Deadline deadline, TaskOutcome& outcome);
  using CapsuleKey = crypto::SecretArray<crypto::kAeadKeySize>;
  Status read_result(const wire::StoredTask& task, wire::Connection& connection, BytesView key, Deadline deadline,
                     TaskOutcome& outcome);
  Result<std::optional<crypto::StreamKeys>> result_keys(const wire::StoredTask& task, BytesView key, Deadline deadline);
  Result<CapsuleKey> capsule_key(const wire::StoredTask& task, const wire::CapsuleHeader& header, BytesView key,
                                 Deadline deadline);

  const Identity& identity_;
  TaskManagerClient& task_manager_;
  CapsuleSession& capsules_;
  wire::KnownNames& names_;
  const Clock& clock_;
};

} // namespace tcfdl::sdk
