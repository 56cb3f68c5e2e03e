// What a courier needs of its master.
#pragma once

#include "wire/messages.hpp"

#include <stop_token>

namespace tcfdl::courier {

/// The task manager, as submitters meet it. Thread-safe.
class Leases {
public:
  virtual ~Leases() = default;
  /// Waits in the function's queue; `stop` leaves it.
  virtual Result<wire::LeaseGrant> acquire(const wire::LeaseRequest& request, const std::stop_token& stop) = 0;
  virtual void release(const std::string& lease_id) = 0;
  /// The task may have begun at that instance: the next lease finds its first run. False where the instance is not
  /// known (yet).
  virtual bool resume(const wire::LeaseRequest& request, const std::string& instance) = 0;
  /// Whether tasks of the function may run twice.
  virtual bool is_idempotent(const std::string& function) = 0;
};

/// Ways to instances, and the proof of who presents. Thread-safe.
class Instances {
public:
  virtual ~Instances() = default;
  virtual Result<std::unique_ptr<wire::Connection>> open(const std::string& node, const std::string& instance) = 0;
  /// The master's signature over the instance's hello.
  virtual std::string possession(const wire::Hello& hello) = 0;
  virtual wire::Signed certificate() = 0;
};

/// Who is told of ends of tasks. Thread-safe.
class Receivers {
public:
  virtual ~Receivers() = default;
  /// PERMISSION_DENIED for a URL that the master's configuration does not admit, INVALID_ARGUMENT for none.
  [[nodiscard]] virtual Status check(const std::string& url) const = 0;
  /// Posts the task, then the segments of its result from `result` where there is one. The HTTP status; errors where
  /// nobody answered.
  virtual Result<int> post(const std::string& url, const wire::StoredTask& task, int result, Deadline deadline) = 0;
};

} // namespace tcfdl::courier
