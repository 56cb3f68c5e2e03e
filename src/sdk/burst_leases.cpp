#include "sdk/burst_leases.hpp"

#include "base/clock.hpp"

namespace tcfdl::sdk {

Result<std::unique_ptr<OpenBurst>> BurstLeases::open(const wire::Lease& lease) {
  const auto now = unix_millis();
  const std::scoped_lock lock(mutex_);
  std::erase_if(bursts_, [&](const auto& entry) {
    const auto& burst = *entry.second;
    return burst.over && burst.lease.expires_ms() < now;
  });
  auto& burst = bursts_[lease.lease_id()];
  if (burst) return Error(Code::kPermissionDenied, "the burst lease was shown on another connection");
  const auto accept_within = std::max<std::int64_t>(lease.expires_ms() - now, 0);
  burst = std::make_shared<Burst>(Burst{.lease = lease,
                                        .until = Deadline::after_millis(static_cast<std::uint64_t>(accept_within)),
                                        .left = lease.burst_tasks()});
  return std::make_unique<OpenBurst>(*this, burst);
}

void BurstLeases::recall(const std::string& lease_id) {
  BurstPtr burst;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = bursts_.find(lease_id);
    if (found == bursts_.end()) return;
    burst = found->second;
  }
  update(*burst, [](Burst& recalled) { recalled.closed = true; });
}

template <class Change> void BurstLeases::update(Burst& burst, Change&& change) {
  wire::TaskEvent event;
  {
    const std::scoped_lock lock(mutex_);
    change(burst);
    burst.closed = burst.closed || burst.left == 0 || burst.until.expired();
    if (!burst.closed || burst.working || burst.over) return;
    burst.over = true;
    event = std::move(burst.end);
  }
  event.set_lease_id(burst.lease.lease_id());
  event.set_instance(instance_);
  event.set_done(true);
  events_.report(event);
}

OpenBurst::~OpenBurst() {
  leases_.update(*burst_, [](BurstLeases::Burst& burst) { burst.closed = true; });
}

Deadline OpenBurst::until() const {
  const std::scoped_lock lock(leases_.mutex_);
  return burst_->until;
}

Status OpenBurst::begin() {
  const std::scoped_lock lock(leases_.mutex_);
  if (burst_->closed || burst_->until.expired()) {
    return Error(Code::kUnavailable, "the burst lease is over; ask for another lease");
  }
  const auto& lease = burst_->lease;
  if (burst_->left-- == lease.burst_tasks()) burst_->until = Deadline::after_millis(lease.burst_ms());
  burst_->working = true;
  return {};
}

void OpenBurst::report_start() {
  if (std::exchange(burst_->started, true)) return;
  wire::TaskEvent event;
  event.set_lease_id(burst_->lease.lease_id());
  event.set_instance(leases_.instance_);
  event.set_started(true);
  leases_.events_.report(event);
}

void OpenBurst::end(const wire::TaskRun& run) {
  leases_.update(*burst_, [&](BurstLeases::Burst& burst) {
    burst.working = false;
    *burst.end.add_runs() = run;
  });
}

} // namespace tcfdl::sdk
