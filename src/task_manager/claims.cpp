#include "task_manager/claims.hpp"

#include "wire/priority.hpp"

namespace tcfdl::task_manager {
namespace {

std::string name_of(const wire::LeaseRequest& request) {
  if (!request.peer().empty()) return "cluster:" + request.peer();
  return request.on_behalf_of().empty() ? request.caller() : request.on_behalf_of();
}

/// Unknown ones of newer callers count as normal.
std::size_t rank_of(wire::Priority priority) {
  if (priority == wire::PRIORITY_HIGH) return 0;
  return priority == wire::PRIORITY_LOW ? 2 : 1;
}

} // namespace

CallerShare Claims::share_of(const std::string& caller) const {
  const auto found = shares_.find(caller);
  return found == shares_.end() ? CallerShare{} : found->second;
}

Status Claims::check(const wire::LeaseRequest& request) const {
  const auto caller = name_of(request);
  const auto highest = share_of(caller).highest;
  const auto asked = request.priority();
  if (rank_of(asked) >= rank_of(highest) || !request.peer().empty()) return {};
  return make_error(Code::kPermissionDenied,
                    "{} may ask for priority '{}' at most, not '{}'; the master's configuration permits more under "
                    "`callers`",
                    caller, wire::priority_word(highest), wire::priority_word(asked));
}

Claim Claims::of(const wire::LeaseRequest& request) const {
  auto caller = name_of(request);
  const auto share = share_of(caller);
  return {.caller = std::move(caller),
          .weight = std::max(1U, share.weight),
          .rank = std::max(rank_of(request.priority()), rank_of(share.highest))};
}

} // namespace tcfdl::task_manager
