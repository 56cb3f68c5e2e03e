// What this cluster does for others: leases on its instances.
#pragma once

#include "collaboration/ports.hpp"
#include "message_queue/bus.hpp"

namespace tcfdl::collaboration {

/// Serves other masters until it goes; requests wait on the bus's workers. The bus outlives it.
class LinkService {
public:
  static Result<LinkService> start(message_queue::Bus& bus, LocalTasks& tasks);

private:
  explicit LinkService(message_queue::Subscription service) : service_(std::move(service)) {}
  message_queue::Subscription service_;
};

} // namespace tcfdl::collaboration
