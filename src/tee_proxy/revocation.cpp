// What the proxy does about the authority's revocation list.
#include "base/log.hpp"
#include "tee_proxy/proxy.hpp"

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::seconds;

/// After which a connection that waits for a list is found to be gone.
constexpr seconds kWatchTime{10};
/// How often keys whose epoch has ended are looked for.
constexpr seconds kEraseEvery{1};

} // namespace

Result<std::uint64_t> TeeProxy::set_revocations(const wire::Signed& unverified) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto is_newer, self->revocations->accept(unverified));
  if (is_newer) {
    spdlog::info("revocation list {} is in force", self->revocations->number());
    erase_void(*self);
    end_revoked(*self);
  }
  return self->revocations->number();
}

std::uint64_t TeeProxy::revocation_number() const {
  const auto self = own();
  return self ? (*self)->revocations->number() : 0;
}

void TeeProxy::erase_void(const Own& self) {
  const auto now = clock_.now();
  const bool all = !self.revocations->check(self.parsed);
  const auto is_over = [&](const wire::KeyScope& scope) {
    return all || scope.expires() <= now || !self.revocations->check_key(scope.holder_verify_key(), scope.holder()) ||
           !self.revocations->check_epoch(scope.function(), scope.epoch(), now);
  };
  sender_keys_->erase_if(is_over);
  const auto erased = reencryption_.erase_if(is_over);
  if (erased > 0) spdlog::info("{} re-encryption keys are erased", erased);
}

/// A process of a revoked certificate is ended; whoever keeps instances starts another, with keys of its own.
void TeeProxy::end_revoked(const Own& self) {
  std::vector<std::string> revoked;
  const bool all = !self.revocations->check(self.parsed);
  running_.with([&](const auto& running) {
    for (const auto& [instance, certificate] : running) {
      if (all || !self.revocations->check(certificate)) revoked.push_back(instance);
    }
  });
  for (const auto& instance : revoked) {
    const auto killed = launches_.kill(instance);
    spdlog::warn("{} is revoked{}", instance, killed ? " and ended" : ", and has ended before");
  }
}

void TeeProxy::erase_loop() {
  std::unique_lock lock(mutex_);
  while (!ending_changed_.wait_for(lock, kEraseEvery, [this] { return ending_; })) {
    if (const auto self = own()) erase_void(**self);
  }
}

void TeeProxy::serve_watch(wire::Connection& connection, wire::WatchRevocations request) {
  for (;;) {
    const auto self = own();
    if (!self) return;
    const auto patience = request.at_once() ? seconds(0) : kWatchTime;
    const auto list = (*self)->revocations->wait_for_newer(request.known(), Deadline::after(patience));
    wire::ProxyReply reply;
    if (!list.statement().empty()) *reply.mutable_revocations() = list;
    if (!wire::send_message(connection, reply, Deadline::after(seconds(10)))) return;
    const auto next = wire::receive_message<wire::ProxyRequest>(connection, Deadline::after(seconds(30)));
    if (!next || !next->has_watch()) return;
    request = next->watch();
  }
}

} // namespace tcfdl::tee_proxy
