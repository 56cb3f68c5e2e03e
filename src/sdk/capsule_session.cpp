#include "sdk/capsule_session.hpp"

namespace tcfdl::sdk {
namespace {

/// A capsule is replaced this long before its end, seconds, so that no task outlives it.
constexpr std::int64_t kRenewBefore = 120;

/// Instances hold the capsule against the certificate of the proxy that turned it, too.
std::int64_t good_until(const wire::CapsuleHeader& header, const wire::Certificate& turner) {
  if (header.issued() != 0) return header.issued() + wire::kCapsuleLifetime - kRenewBefore; // of a topic
  const auto margin = std::min(kRenewBefore, (turner.expires() - turner.issued()) / 4);
  return std::min(header.expires() - kRenewBefore, turner.expires() - margin);
}

std::string entry_name(const std::string& function, const std::string& assurance) { return function + ' ' + assurance; }

} // namespace

Result<std::shared_ptr<const ReadyCapsule>> CapsuleSession::provide(const Wish& wish, Deadline deadline, bool shared) {
  const auto found = entry(entry_name(wish.function, wish.assurance));
  const std::unique_lock lock(found->mutex, deadline.when());
  if (!lock) return Deadline::exceeded("the wait for keys that another call gets");
  const auto now = clock_.now();
  if (found->is_void.exchange(false)) found->capsule.reset();
  if (shared && found->capsule && found->capsule->serves(now) && found->capsule->header.epoch() >= wish.least_epoch) {
    return found->capsule;
  }
  if (const auto& key = found->key;
      !key || key->scope.expires() <= now + wire::kCapsuleLifetime || key->scope.epoch() < wish.least_epoch) {
    TCFDL_TRY(fetch_key(*found, wish.function, wish.assurance, deadline));
  }
  if (found->key->scope.epoch() < wish.least_epoch) {
    return make_error(Code::kPermissionDenied, "the owner of {} states epoch {} of its keys, the authority epoch {}",
                      wish.function, wish.least_epoch, found->key->scope.epoch());
  }
  auto made = make(*found, wish, deadline);
  if (!made && made.error().code() == Code::kFailedPrecondition) {
    // The proxy was restarted and has lost our re-encryption key, or another epoch is in force.
    TCFDL_TRY(fetch_key(*found, wish.function, wish.assurance, deadline));
    made = make(*found, wish, deadline);
  }
  if (made && shared) found->capsule = *made;
  return made;
}

Result<std::shared_ptr<const wire::SenderKey>>
CapsuleSession::key(const std::string& function, const std::string& assurance, std::uint32_t epoch, Deadline deadline) {
  const auto found = entry(entry_name(function, assurance));
  const std::unique_lock lock(found->mutex, deadline.when());
  if (!lock) return Deadline::exceeded("the wait for keys that another call gets");
  if (!found->key || found->key->scope.epoch() != epoch) {
    TCFDL_TRY(fetch_key(*found, function, assurance, deadline));
  }
  if (found->key->scope.epoch() == epoch) return found->key;
  return make_error(Code::kFailedPrecondition, "epoch {} of the keys of {} is over, epoch {} is in force", epoch,
                    function, found->key->scope.epoch());
}

void CapsuleSession::forget(const std::string& function, const std::string& assurance, const ReadyCapsule& capsule) {
  const auto found = entry(entry_name(function, assurance));
  const std::scoped_lock lock(found->mutex);
  const bool is_shared = capsule.header.instance().empty();
  if (is_shared && found->capsule.get() != &capsule) return; // another call has made a new one since
  found->capsule.reset();
  found->key.reset();
}

void CapsuleSession::forget_void(const wire::Revocations& revocations) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    entry->is_void = true;
    // Who holds it is about to look, or has asked for another just now.
    const std::unique_lock own(entry->mutex, std::try_to_lock);
    if (!own.owns_lock()) continue;
    entry->capsule.reset();
    if (entry->key && !revocations.check_in_force(entry->key->scope.function(), entry->key->scope.epoch())) {
      entry->key.reset();
    }
  }
}

std::shared_ptr<CapsuleSession::Entry> CapsuleSession::entry(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  auto& found = entries_[name];
  if (!found) found = std::make_shared<Entry>();
  return found;
}

Status CapsuleSession::fetch_key(Entry& entry, const std::string& function, const std::string& assurance,
                                 Deadline deadline) {
  wire::ProxyRequest request;
  request.mutable_sender_keys()->set_function(function);
  request.mutable_sender_keys()->set_assurance(assurance);
  *request.mutable_sender_keys()->mutable_certificate() = identity_.certificate.get();
  auto answer = proxy_.request(request, deadline);
  if (!answer && answer.error().code() == Code::kUnauthenticated) { // of the certificate before this one
    *request.mutable_sender_keys()->mutable_certificate() = identity_.certificate.get();
    answer = proxy_.request(request, deadline);
  }
  TCFDL_ASSIGN(const auto reply, std::move(answer));
  wire::KeyScope scope;
  TCFDL_ASSIGN(auto x, open_key_package(identity_, reply.sender_key(), wire::KEY_ROLE_SENDER, clock_.now(), scope));
  if (scope.function() != function || scope.assurance() != assurance) {
    return make_error(Code::kPermissionDenied, "asked for a key to {} ({}), got one to {} ({})", function, assurance,
                      scope.function(), scope.assurance());
  }
  if (scope.epoch() < entry.newest) {
    return make_error(Code::kPermissionDenied,
                      "the keys to {} are of epoch {}, epoch {} was seen before: an epoch does not come back", function,
                      scope.epoch(), entry.newest);
  }
  entry.newest = scope.epoch();
  entry.key = std::make_shared<const wire::SenderKey>(wire::SenderKey{std::move(x), std::move(scope)});
  return {};
}

Result<std::shared_ptr<const ReadyCapsule>> CapsuleSession::make(const Entry& entry, const Wish& wish,
                                                                 Deadline deadline) {
  const auto& key = entry.key;
  if (!key) return Error(Code::kFailedPrecondition, "there is no key to make a capsule with");
  const auto now = clock_.now();
  auto made = wire::make_capsule(*key, identity_.signing, now, wish.instance);
  wire::ProxyRequest request;
  request.set_traceparent(wish.traceparent);
  *request.mutable_turn() = made.capsule;
  TCFDL_ASSIGN(const auto reply, proxy_.request(request, deadline));
  // The proxy may change EK2 alone: everything else must come back as it was made.
  if (reply.capsule().header() != made.capsule.header() || reply.capsule().ek1() != made.capsule.ek1()) {
    return Error(Code::kUnauthenticated, "the proxy returned another capsule");
  }
  TCFDL_ASSIGN(auto header, wire::verify_turned_capsule(reply.capsule(), identity_.authority, clock_.now(),
                                                        key->scope.capsule_life() != 0));
  // Verified with the capsule.
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(reply.capsule().proxy_certificate().statement()));
  const auto until = good_until(header, turner);
  return std::make_shared<const ReadyCapsule>(ReadyCapsule{reply.capsule(), std::move(header), std::move(made.secret),
                                                           key->scope, now, until, made.capsule.ek2()});
}

} // namespace tcfdl::sdk
