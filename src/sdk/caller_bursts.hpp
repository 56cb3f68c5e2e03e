// Burst leases at a caller, between one call and the next of its kind.
#pragma once

#include "sdk/instance_pool.hpp"

namespace tcfdl::sdk {

/// A lease for several tasks, with the connection that it was shown on.
struct CallerBurst {
  Deadline until; ///< no task is sent later
  Deadline end;   ///< that its tasks have at most: the task manager takes the slot back then
  unsigned left;  ///< tasks
  wire::LeaseGrant grant{};
  wire::Descriptor descriptor{};
  std::unique_ptr<InstanceConnection> connection{};
};

/// Thread-safe. A burst pays where calls of one kind follow each other closely, as they did lately.
class CallerBursts {
public:
  /// What calls must have in common to go on with each other's lease.
  static std::string kind_of(const wire::LeaseRequest& request, const CallOptions& options);

  /// One that is idle and in time for a task with that deadline, whose connection is alive; nullptr for none.
  std::unique_ptr<CallerBurst> take(const std::string& kind, Deadline deadline);
  void give_back(const std::string& kind, std::unique_ptr<CallerBurst> burst);
  /// A call of that kind ended.
  void note_end(const std::string& kind);
  /// Whether one ended so lately that the next is likely to come within a burst's time.
  [[nodiscard]] bool is_steady(const std::string& kind) const;

private:
  struct Kind {
    std::vector<std::unique_ptr<CallerBurst>> idle;
    Deadline::Clock::time_point last_end;
  };
  Guarded<std::map<std::string, Kind>> kinds_;
};

} // namespace tcfdl::sdk
