// Asynchronous tasks of a master: what callers ask for at its door, and the courier with its ways.
#pragma once

#include "courier/callbacks.hpp"
#include "courier/courier.hpp"
#include "node/callback_receivers.hpp"
#include "node/host.hpp"
#include "task_manager/task_manager.hpp"
#include "wire/held_certificate.hpp"

namespace tcfdl::node {

struct AsyncTasksParts {
  task_manager::TaskManager& tasks;
  Host& host;
  const crypto::SigningKey& signing; ///< the master's
  wire::HeldCertificate certificate;
};

/// Thread-safe. What it needs outlives it.
class AsyncTasks {
public:
  static Result<std::unique_ptr<AsyncTasks>> open(database::Database& database, courier::StoreSettings settings,
                                                  const CallbackConfig& callbacks, std::string cluster,
                                                  const AsyncTasksParts& parts);
  Status start();
  void stop() noexcept {
    store_->close();
    courier_.stop();
    callbacks_.stop();
  }

  /// What a body must be sealed for.
  Result<wire::FunctionOffer> describe(const std::string& function);
  /// Stores a task and its body, which comes on the connection when there is room for it. The caller may call the
  /// function; `caller` is its certificate. Returns whether the connection goes on.
  bool submit(wire::Connection& connection, const courier::Owner& owner, const wire::Certificate& caller,
              const wire::SubmitTask& task);
  /// Answers with a task, and its result if that is asked for. `gone`: who asked went away.
  bool query(wire::Connection& connection, const courier::Owner& owner, const wire::TaskQuery& query,
             const std::stop_token& gone);
  Result<wire::StoredTask> cancel(const courier::Owner& owner, const std::string& id) {
    return courier_.cancel({owner.id(), id});
  }
  Result<wire::StoredTasks> list(const courier::Owner& owner) { return store_->list(owner.id()); }

  /// Stores a task of the master's own, unless the id is known. Errors of the store; FAILED_PRECONDITION or
  /// PERMISSION_DENIED where the function takes no such task.
  Status submit_own(const courier::Owner& owner, const wire::SubmitTask& task, const wire::SealedHeader& header,
                    BytesView body);

  /// The ways to instances, which others who present tasks may use as long as this lives.
  courier::Leases& leases() { return *leases_; }
  courier::Instances& instances() { return *instances_; }

private:
  class TaskLeases;
  class TaskInstances;
  AsyncTasks(std::unique_ptr<courier::TaskStore> store, std::unique_ptr<CallbackReceivers> receivers,
             std::string cluster, const AsyncTasksParts& parts);
  Result<std::optional<wire::StoredTask>> take_in(wire::Connection& connection, const courier::Owner& owner,
                                                  const wire::Certificate& caller, const wire::SubmitTask& task);
  Result<wire::SealedHeader> check(const courier::Owner& owner, const wire::Certificate& caller,
                                   const wire::SubmitTask& task);
  [[nodiscard]] Status check_function(const courier::Owner& owner, const wire::SubmitTask& task,
                                      const wire::SealedHeader& header);

  const std::unique_ptr<courier::TaskStore> store_;
  const std::unique_ptr<CallbackReceivers> receivers_;
  const std::string cluster_;
  const AsyncTasksParts parts_;
  const std::unique_ptr<courier::Leases> leases_;
  const std::unique_ptr<courier::Instances> instances_;
  courier::Courier courier_;
  courier::Callbacks callbacks_;
};

} // namespace tcfdl::node
