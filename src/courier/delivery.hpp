// One stored task on its way to its end.
#pragma once

#include "courier/presentation.hpp"

#include <atomic>

namespace tcfdl::courier {

/// What ends a delivery from outside.
struct Interruption {
  std::stop_source stop;               ///< requested when one of the below is set
  std::atomic<bool> cancelled = false; ///< by the submitter; else the process stops, and the task goes on later
};

/// What all deliveries share; all outlive them.
struct DeliveryParts {
  TaskStore& store;
  Leases& leases;
  Instances& instances;
  const UnixMillis& now;
  /// By then the instances of before a restart have reported.
  Deadline known_by;
};

/// Runs on one thread.
class Delivery {
public:
  Delivery(Job job, const DeliveryParts& parts, Interruption& interruption);

  /// Ends the task, or leaves it as it is when the process stops.
  void run();

private:
  std::optional<End> attempt();
  std::optional<End> find_again();
  std::optional<End> after_refusal(const Error& refusal);
  std::optional<End> offer(const wire::LeaseGrant& grant);
  std::optional<End> after_presentation(const Presented& presented, const Status& done, const wire::LeaseGrant& grant,
                                        bool is_repeat);
  std::optional<End> place_elsewhere(const wire::LeaseGrant& grant, bool failed_before);
  static End end_of(const Presented& presented, const wire::ResultHeader& header);
  End end_cancelled();
  void tell_to_end();
  [[nodiscard]] wire::LeaseRequest request() const;
  void release(const wire::LeaseGrant& grant);
  void record(End end);
  void pause(std::chrono::milliseconds wanted);
  [[nodiscard]] bool stopping() const { return interruption_.stop.stop_requested() && !interruption_.cancelled; }

  Job job_;
  const DeliveryParts& parts_;
  Interruption& interruption_;
  const Deadline deadline_;
  std::vector<std::string> excluded_; // instances that did not take it
  unsigned attempts_ = 0;
  bool told_ = false; // the instance, of the cancellation
};

} // namespace tcfdl::courier
