// Burst leases at an instance: several tasks of one caller, one after the other on one connection.
#pragma once

#include "base/deadline.hpp"
#include "sdk/ports.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace tcfdl::sdk {

class OpenBurst;

/// Tells the task manager of each burst twice: when its first task starts, and what became of all of them when it is
/// over. That is after its last task, at its time, when it is recalled or when its connection ends, but never while one
/// of its tasks runs. Thread-safe.
class BurstLeases {
public:
  BurstLeases(std::string instance, TaskEvents& events) : instance_(std::move(instance)), events_(events) {}

  /// Begins the burst of a verified lease. PERMISSION_DENIED for one that was shown before.
  Result<std::unique_ptr<OpenBurst>> open(const wire::Lease& lease);
  /// Others wait for its slot: no further task begins. Nothing for an unknown one.
  void recall(const std::string& lease_id);

private:
  friend class OpenBurst;
  struct Burst {
    wire::Lease lease;
    Deadline until; ///< of the lease, then since the first task
    unsigned left;
    bool started = false;
    bool working = false;
    bool closed = false; ///< no further task begins
    bool over = false;
    wire::TaskEvent end = {};
  };
  using BurstPtr = std::shared_ptr<Burst>;

  /// Changes a burst under the lock, and reports it if it is over with that.
  template <class Change> void update(Burst& burst, Change&& change);

  const std::string instance_;
  TaskEvents& events_;
  std::mutex mutex_;
  std::map<std::string, BurstPtr> bursts_; // guarded by mutex_, as what they hold; by lease, until nobody can show it
};

/// A burst on its connection, which ends with it. Of the connection's thread.
class OpenBurst {
public:
  OpenBurst(BurstLeases& leases, BurstLeases::BurstPtr burst) : leases_(leases), burst_(std::move(burst)) {}
  OpenBurst(const OpenBurst&) = delete;
  OpenBurst& operator=(const OpenBurst&) = delete;
  ~OpenBurst();

  [[nodiscard]] const wire::Lease& lease() const noexcept { return burst_->lease; }
  /// No task begins later.
  [[nodiscard]] Deadline until() const;

  /// Admits the next task. UNAVAILABLE when the burst is over.
  Status begin();
  void report_start();
  void end(const wire::TaskRun& run);

private:
  BurstLeases& leases_;
  const BurstLeases::BurstPtr burst_;
};

} // namespace tcfdl::sdk
