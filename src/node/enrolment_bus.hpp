// The connection of a node that has nothing but its enrolment token.
#pragma once

#include "node/entrance.hpp"

namespace tcfdl::node {

/// Connects when it is first needed, which a node that enrolled before never does. One thread.
class EnrolmentBus {
public:
  /// The entrance outlives it.
  explicit EnrolmentBus(const NodeEntrance& entrance) : entrance_(entrance) {}

  /// UNAUTHENTICATED for a token that has expired.
  Result<message_queue::Bus*> get() {
    if (bus_ == nullptr) {
      TCFDL_ASSIGN(const auto settings, entrance_.enrolling_bus());
      TCFDL_ASSIGN(bus_, message_queue::NatsBus::connect(settings));
    }
    return bus_.get();
  }
  Result<Bytes> request(const std::string& subject, BytesView request, Deadline deadline) {
    TCFDL_ASSIGN(auto* bus, get());
    return bus->request(subject, request, deadline);
  }

private:
  const NodeEntrance& entrance_;
  std::unique_ptr<message_queue::NatsBus> bus_;
};

} // namespace tcfdl::node
