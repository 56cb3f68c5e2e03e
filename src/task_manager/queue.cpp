#include "task_manager/queue.hpp"

namespace tcfdl::task_manager {

bool Queue::push(Ticket& ticket, std::size_t limit) {
  if (waiting_.size() >= limit) return false;
  ticket.position_ = waiting_.insert(waiting_.end(), &ticket);
  return true;
}

} // namespace tcfdl::task_manager
