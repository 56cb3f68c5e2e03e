// What the task manager needs from others.
#pragma once

#include "base/clock.hpp"
#include "base/deadline.hpp"
#include "wire/messages.hpp"

#include <chrono>

namespace tcfdl::task_manager {

/// Signs leases in the master's name. Called without any lock held, by many threads at once.
class LeaseSigner {
public:
  virtual ~LeaseSigner() = default;
  virtual wire::Signed sign(const wire::Lease& lease) = 0;
  /// The certificate of the key that signs.
  virtual wire::Signed certificate() = 0;
};

/// The clusters that this one collaborates with. Called without any lock held, by many threads at once.
class Peers {
public:
  virtual ~Peers() = default;
  /// Whether some reachable cluster provides the function; answers from memory.
  virtual bool provides(const FunctionName& function) = 0;
  /// A lease at another cluster: `request.cluster` if it is set, else at the cluster that suits best.
  virtual Result<wire::LeaseGrant> lease(const wire::LeaseRequest& request, Deadline deadline) = 0;
  virtual void release(const wire::LeaseRelease& release) = 0;
};

/// A burst lease that is wanted back.
struct Recall {
  NodeId node;
  InstanceId instance;
  std::string lease_id;
};

/// The way to instances that hold bursts. Called without any lock held, by many threads at once; does not block.
class Recalls {
public:
  virtual ~Recalls() = default;
  /// What gets lost on the way ends by its time.
  virtual void recall(const Recall& burst) = 0;
};

/// Time as a parameter, in the two forms that leases need.
class TimeSource {
public:
  virtual ~TimeSource() = default;
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady() const = 0;
  /// Milliseconds since the Unix epoch, UTC.
  [[nodiscard]] virtual std::int64_t unix_millis() const = 0;
};

class SystemTimeSource final : public TimeSource {
public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
  [[nodiscard]] std::int64_t unix_millis() const override { return tcfdl::unix_millis(); }
};

} // namespace tcfdl::task_manager
