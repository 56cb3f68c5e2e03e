// What the task manager needs from others.
#pragma once

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
  [[nodiscard]] std::int64_t unix_millis() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

} // namespace tcfdl::task_manager
