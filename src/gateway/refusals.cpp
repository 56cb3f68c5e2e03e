#include "gateway/refusals.hpp"

#include "base/log.hpp"

#include <pthread.h>

namespace tcfdl::gateway {
namespace {

/// Of the path, which is the peer's to choose.
constexpr std::size_t kMostPath = 256;

bool is_same(const wire::Refusal& one, const wire::Refusal& other) {
  return one.who() == other.who() && one.role() == other.role() && one.host() == other.host() &&
         one.method() == other.method() && one.path() == other.path() && one.status() == other.status();
}

} // namespace

Refusals::Refusals(Send send, RefusalsSettings settings)
    : send_(std::move(send)), settings_(settings), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "refusals");
}

Refusals::~Refusals() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Refusals::note(const http::Answered& request) {
  if (!request.was_refused()) return;
  wire::Refusal refusal;
  if (request.caller) {
    refusal.set_who(request.caller->name);
    refusal.set_role(request.caller->role);
  }
  refusal.set_host(request.remote.substr(0, request.remote.rfind(':'))); // a peer's ports are many
  refusal.set_method(request.method);
  refusal.set_path(request.path.substr(0, kMostPath));
  refusal.set_status(static_cast<std::uint32_t>(request.status));
  refusal.set_times(1);
  {
    const std::scoped_lock lock(mutex_);
    add(std::move(refusal));
  }
  wake_.notify_all();
}

void Refusals::add(wire::Refusal refusal) {
  for (auto& known : *waiting_.mutable_refusals()) {
    if (is_same(known, refusal)) return known.set_times(known.times() + refusal.times());
  }
  if (waiting_.refusals_size() < settings_.most) {
    *waiting_.add_refusals() = std::move(refusal);
  } else {
    waiting_.set_others(waiting_.others() + refusal.times());
  }
}

void Refusals::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || waiting_.refusals_size() > 0; });
    if (waiting_.refusals_size() == 0) return;
    wake_.wait_for(lock, settings_.every, [this] { return stopping_; });
    auto report = std::exchange(waiting_, {});
    lock.unlock();
    const auto sent = send_(report);
    if (!sent) spdlog::debug("refused requests are not reported yet: {}", sent.error().to_string());
    lock.lock();
    if (sent) continue;
    if (stopping_) return;
    for (auto& refusal : *report.mutable_refusals()) add(std::move(refusal));
    waiting_.set_others(waiting_.others() + report.others());
  }
}

} // namespace tcfdl::gateway
