// The words for the states of instances, in the API and in metrics.
#pragma once

#include "wire/proto/control.pb.h"

namespace tcfdl::node {

/// `otherwise`: of a state that this version does not know.
inline std::string state_name(wire::InstanceState state, const char* otherwise) {
  switch (state) {
  case wire::INSTANCE_STATE_STARTING: return "starting";
  case wire::INSTANCE_STATE_READY: return "ready";
  case wire::INSTANCE_STATE_DRAINING: return "draining";
  case wire::INSTANCE_STATE_BACKING_OFF: return "backing-off";
  case wire::INSTANCE_STATE_STOPPED: return "stopped";
  default: return otherwise;
  }
}

} // namespace tcfdl::node
