#include "instance_manager/lifecycle.hpp"

#include "base/log.hpp"

namespace tcfdl::instance_manager {

std::string_view state_name(State state) noexcept {
  switch (state) {
  case State::kStarting: return "STARTING";
  case State::kReady: return "READY";
  case State::kDraining: return "DRAINING";
  case State::kBackingOff: return "BACKING_OFF";
  case State::kStopped: return "STOPPED";
  }
  return "UNKNOWN";
}

bool may_follow(State from, State to) noexcept {
  switch (from) {
  case State::kStarting: return to == State::kReady || to == State::kBackingOff || to == State::kStopped;
  case State::kReady: return to == State::kDraining || to == State::kBackingOff || to == State::kStopped;
  case State::kBackingOff: return to == State::kStarting || to == State::kStopped;
  case State::kDraining: return to == State::kStopped;
  case State::kStopped: return false;
  }
  return false;
}

bool Lifecycle::move(State to, std::string_view why) {
  if (!may_follow(state_, to)) {
    spdlog::error("instance {}: {} cannot follow {} ({})", instance_, state_name(to), state_name(state_), why);
    return false;
  }
  spdlog::info("instance {}: {} after {}: {}", instance_, state_name(to), state_name(state_), why);
  state_ = to;
  return true;
}

} // namespace tcfdl::instance_manager
