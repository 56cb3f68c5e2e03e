#include "sdk/processor_keys.hpp"

#include "base/log.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kMostCapsules = 10'000;

} // namespace

ProcessorKeys::ProcessorKeys(ProcessorKeysSettings settings, const Identity& identity, ProcessorKey key, Proxy& proxy,
                             const Clock& clock, const wire::Revocations& revocations)
    : settings_(std::move(settings)), identity_(identity), assurance_(key.scope.assurance()), proxy_(proxy),
      clock_(clock), revocations_(revocations), newest_(key.scope.epoch()) {
  keys_.with([&](auto& keys) { keys.emplace(newest_, std::make_shared<const ProcessorKey>(std::move(key))); });
}

Result<CapsuleSecretPtr> ProcessorKeys::open(const wire::Capsule& capsule, const wire::SealedHeader& task,
                                             const wire::Lease& lease, Deadline deadline,
                                             const std::string& traceparent) {
  TCFDL_ASSIGN(const auto header, wire::verify_turned_capsule(capsule, identity_.authority, clock_.now()));
  if (header.capsule_id() != task.capsule_id() || header.sender() != task.sender() ||
      header.function() != task.function() || header.assurance() != assurance_ ||
      header.sender_key() != lease.caller_key()) {
    return Error(Code::kPermissionDenied, "the capsule is of another task, function, class or caller");
  }
  TCFDL_TRY(check_isolation(header));
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(capsule.proxy_certificate().statement()));
  TCFDL_TRY(revocations_.check(turner));
  TCFDL_ASSIGN(const auto key, key_of(header.epoch(), deadline));
  wire::ProxyRequest finish;
  finish.set_traceparent(traceparent);
  *finish.mutable_finish() = capsule;
  TCFDL_ASSIGN(const auto reply, proxy_.request(finish, deadline));
  auto finished = capsule;
  finished.set_ek2(reply.capsule().ek2()); // the rest was verified above
  TCFDL_ASSIGN(auto opened, wire::open_capsule(key->key, finished));
  auto secret = std::make_shared<const crypto::CapsuleSecret>(std::move(opened));
  TCFDL_TRY(remember(header, lease, secret));
  return secret;
}

/// The first lease that brings a capsule is the one that it serves, where instances are apart.
Status ProcessorKeys::remember(const wire::CapsuleHeader& header, const wire::Lease& lease,
                               const CapsuleSecretPtr& secret) {
  const auto now = clock_.now();
  return capsules_.with([&](auto& capsules) -> Status {
    if (capsules.size() >= kMostCapsules)
      std::erase_if(capsules, [&](const auto& c) { return c.second.expires <= now; });
    if (capsules.size() >= kMostCapsules) capsules.clear();
    const KnownCapsule fresh{header.sender(), header.sender_key(), header.expires(), header.epoch(),
                             secret,          lease.lease_id()};
    const auto [known, is_new] = capsules.try_emplace(header.capsule_id(), fresh);
    return is_new ? Status() : check_lease(known->second, lease);
  });
}

Result<CapsuleSecretPtr> ProcessorKeys::find(const wire::SealedHeader& task, const wire::Lease& lease) const {
  const auto known = known_capsule(task.capsule_id());
  if (!known || known->expires <= clock_.now()) {
    return Error(Code::kFailedPrecondition, "the capsule is not known here; send it again");
  }
  if (known->sender_key != lease.caller_key() || known->sender != task.sender()) {
    return Error(Code::kPermissionDenied, "the capsule belongs to another caller than the task");
  }
  TCFDL_TRY(check_lease(*known, lease));
  TCFDL_TRY(revocations_.check_epoch(settings_.function, known->epoch, clock_.now()));
  return known->secret;
}

/// A capsule for one instance is for no other, and where the owner wants instances apart, each is for one.
Status ProcessorKeys::check_isolation(const wire::CapsuleHeader& header) const {
  if (!header.instance().empty() && header.instance() != settings_.instance) {
    return make_error(Code::kPermissionDenied, "the capsule is for {} alone, not for {}", header.instance(),
                      settings_.instance);
  }
  if (!settings_.isolated || !header.instance().empty()) return {};
  return make_error(Code::kPermissionDenied, "{} takes capsules for one instance alone; the caller is too old",
                    settings_.function);
}

Status ProcessorKeys::check_lease(const KnownCapsule& known, const wire::Lease& lease) const {
  if (!settings_.isolated || known.lease_id == lease.lease_id()) return {};
  return Error(Code::kPermissionDenied, "the capsule has served another lease; make one for each");
}

std::optional<ProcessorKeys::KnownCapsule> ProcessorKeys::known_capsule(const std::string& id) const {
  return capsules_.with([&](const auto& capsules) -> std::optional<KnownCapsule> {
    const auto found = capsules.find(id);
    return found == capsules.end() ? std::nullopt : std::optional(found->second);
  });
}

ProcessorKeys::ProcessorKeyPtr ProcessorKeys::find_key(std::uint32_t epoch) const {
  return keys_.with([&](const auto& keys) -> ProcessorKeyPtr {
    const auto found = keys.find(epoch);
    return found == keys.end() ? nullptr : found->second;
  });
}

/// The key for an epoch that a proxy vouches for. One that is newer than what is here is asked for.
Result<ProcessorKeys::ProcessorKeyPtr> ProcessorKeys::key_of(std::uint32_t epoch, Deadline deadline) {
  TCFDL_TRY(revocations_.check_epoch(settings_.function, epoch, clock_.now()));
  if (auto known = find_key(epoch)) return known;
  const std::unique_lock lock(renewing_, deadline.when());
  if (!lock) return Deadline::exceeded("the wait for keys that another task gets");
  if (auto known = find_key(epoch)) return known;
  if (epoch > newest_) TCFDL_TRY(renew_key(deadline));
  if (auto known = find_key(epoch)) return known;
  return make_error(Code::kFailedPrecondition,
                    "{} takes no tasks of epoch {} of the keys of {}, but of {}; ask for keys", settings_.instance,
                    epoch, settings_.function, newest_);
}

/// With the certificate of now. Called with `renewing_` held.
Status ProcessorKeys::renew_key(Deadline deadline) {
  wire::ProxyRequest request;
  request.mutable_renew();
  const auto reply = proxy_.request(request, deadline);
  if (!reply) { // another instance may have them
    return make_error(Code::kUnavailable, "{} gets no newer keys: {}", settings_.instance, reply.error().message());
  }
  wire::KeyScope scope;
  TCFDL_ASSIGN(const auto x, open_key_package(identity_, reply->attached().processor_key(), wire::KEY_ROLE_PROCESSOR,
                                              clock_.now(), scope));
  if (scope.function() != settings_.function || scope.assurance() != assurance_ || scope.epoch() < newest_) {
    return make_error(Code::kPermissionDenied, "got a key of {} ({}, epoch {}) for {} ({}, epoch {} or higher)",
                      scope.function(), scope.assurance(), scope.epoch(), settings_.function, assurance_, newest_);
  }
  TCFDL_TRY(identity_.certificate.adopt(reply->attached().certificate(), identity_.authority, clock_.now()));
  if (settings_.renew_tls) TCFDL_TRY(settings_.renew_tls(chain_of(reply->attached())));
  newest_ = scope.epoch();
  keys_.with([&](auto& keys) {
    keys.insert_or_assign(scope.epoch(),
                          std::make_shared<const ProcessorKey>(ProcessorKey{crypto::DecryptionKey(x), scope}));
  });
  spdlog::info("serves epoch {} of the keys of {}", scope.epoch(), scope.function());
  return {};
}

Status ProcessorKeys::renew(Deadline deadline) {
  const std::scoped_lock lock(renewing_);
  return renew_key(deadline);
}

void ProcessorKeys::erase_void() {
  const auto now = clock_.now();
  const auto is_over = [&](std::uint32_t epoch) { return !revocations_.check_epoch(settings_.function, epoch, now); };
  keys_.with([&](auto& keys) { std::erase_if(keys, [&](const auto& key) { return is_over(key.first); }); });
  capsules_.with([&](auto& capsules) {
    std::erase_if(capsules, [&](const auto& capsule) {
      const auto& known = capsule.second;
      return known.expires <= now || is_over(known.epoch) || !revocations_.check_key(known.sender_key, known.sender);
    });
  });
}

} // namespace tcfdl::sdk
