// The keys with which an instance processes tasks, one for each epoch that is valid, and those of masters that lease
// them.
#include "base/log.hpp"
#include "sdk/task_server.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kMostMasters = 256;

} // namespace

TaskServer::ProcessorKeyPtr TaskServer::find_key(std::uint32_t epoch) const {
  return keys_.with([&](const auto& keys) -> ProcessorKeyPtr {
    const auto found = keys.find(epoch);
    return found == keys.end() ? nullptr : found->second;
  });
}

/// The key for an epoch that a proxy vouches for. One that is newer than what is here is asked for.
Result<TaskServer::ProcessorKeyPtr> TaskServer::processor_key(std::uint32_t epoch, Deadline deadline) {
  TCFDL_TRY(revocations_.check_epoch(settings_.function, epoch, clock_.now()));
  if (auto known = find_key(epoch)) return known;
  const std::scoped_lock lock(renewing_);
  if (auto known = find_key(epoch)) return known;
  if (epoch > newest_) TCFDL_TRY(renew_key(deadline));
  if (auto known = find_key(epoch)) return known;
  return make_error(Code::kFailedPrecondition,
                    "{} takes no tasks of epoch {} of the keys of {}, but of {}; ask for keys", settings_.instance,
                    epoch, settings_.function, newest_);
}

/// With the certificate of now. Called with `renewing_` held.
Status TaskServer::renew_key(Deadline deadline) {
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
  newest_ = scope.epoch();
  keys_.with([&](auto& keys) {
    keys.insert_or_assign(scope.epoch(),
                          std::make_shared<const ProcessorKey>(ProcessorKey{crypto::DecryptionKey(x), scope}));
  });
  spdlog::info("serves epoch {} of the keys of {}", scope.epoch(), scope.function());
  return {};
}

Status TaskServer::renew(Deadline deadline) {
  const std::scoped_lock lock(renewing_);
  return renew_key(deadline);
}

Result<crypto::VerifyKey> TaskServer::master_key(const wire::Signed& certificate, const std::string& cluster) {
  const auto name = certificate.statement() + certificate.signature();
  const auto now = clock_.now();
  const auto known = masters_.with([&](const auto& masters) -> std::optional<KnownMaster> {
    const auto found = masters.find(name);
    return found == masters.end() ? std::nullopt : std::optional(found->second);
  });
  if (known && known->certificate.expires() > now && known->certificate.cluster() == cluster) {
    TCFDL_TRY(revocations_.check(known->certificate));
    return known->key;
  }
  TCFDL_ASSIGN(auto master, wire::verify_certificate(identity_.authority, certificate, {wire::ROLE_MASTER}, now));
  if (master.cluster() != cluster) {
    return make_error(Code::kPermissionDenied, "the master of {} gave a lease of {}", master.cluster(), cluster);
  }
  TCFDL_TRY(revocations_.check(master));
  TCFDL_ASSIGN(auto key, crypto::VerifyKey::from_bytes(as_bytes(master.verify_key())));
  masters_.with([&](auto& masters) {
    if (masters.size() >= kMostMasters) masters.clear();
    masters.insert_or_assign(name, KnownMaster{std::move(master), key});
  });
  return key;
}

void TaskServer::erase_void() {
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
