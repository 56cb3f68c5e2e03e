// The states of an instance and which may follow which.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::instance_manager {

enum class State : std::uint8_t {
  kStarting = wire::INSTANCE_STATE_STARTING,
  kReady = wire::INSTANCE_STATE_READY,
  kDraining = wire::INSTANCE_STATE_DRAINING,
  kBackingOff = wire::INSTANCE_STATE_BACKING_OFF,
  kStopped = wire::INSTANCE_STATE_STOPPED,
};

[[nodiscard]] std::string_view state_name(State state) noexcept;
[[nodiscard]] bool may_follow(State from, State to) noexcept;

/// The state of one instance. A transition is logged; one that the table lacks is refused and logged as an error. Not
/// thread-safe.
class Lifecycle {
public:
  explicit Lifecycle(InstanceId instance) : instance_(std::move(instance)) {}

  [[nodiscard]] State state() const noexcept { return state_; }
  /// Whether the transition took place.
  bool move(State to, std::string_view why);

private:
  InstanceId instance_;
  State state_ = State::kStarting;
};

} // namespace tcfdl::instance_manager
