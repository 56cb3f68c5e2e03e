#include "sdk/capsule_session.hpp"

namespace tcfdl::sdk {
namespace {

/// A capsule is replaced this long before its end, seconds, so that no task outlives it.
constexpr std::int64_t kRenewBefore = 120;

} // namespace

Result<std::shared_ptr<const ReadyCapsule>>
CapsuleSession::get(const std::string& function, const std::string& assurance, std::uint32_t epoch, Deadline deadline) {
  const auto found = entry(fmt::format("{} {} {}", function, assurance, epoch));
  const std::scoped_lock lock(found->mutex);
  const auto now = clock_.now();
  if (found->capsule && found->capsule->header.expires() > now + kRenewBefore) return found->capsule;
  if (const auto& key = found->key; !key || key->scope.expires() <= now + wire::kCapsuleLifetime) {
    TCFDL_TRY(fetch_key(*found, function, assurance, deadline));
  }
  auto renewed = renew(*found, deadline);
  if (!renewed && renewed.error().code() == Code::kFailedPrecondition) {
    // The proxy was restarted and has lost our re-encryption key.
    TCFDL_TRY(fetch_key(*found, function, assurance, deadline));
    renewed = renew(*found, deadline);
  }
  return renewed;
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
  *request.mutable_sender_keys()->mutable_certificate() = identity_.certificate;
  TCFDL_ASSIGN(const auto reply, proxy_.request(request, deadline));
  wire::KeyScope scope;
  TCFDL_ASSIGN(auto x, open_key_package(identity_, reply.sender_key(), wire::KEY_ROLE_SENDER, clock_.now(), scope));
  if (scope.function() != function || scope.assurance() != assurance) {
    return make_error(Code::kPermissionDenied, "asked for a key to {} ({}), got one to {} ({})", function, assurance,
                      scope.function(), scope.assurance());
  }
  entry.key.emplace(wire::SenderKey{std::move(x), std::move(scope)});
  return {};
}

Result<std::shared_ptr<const ReadyCapsule>> CapsuleSession::renew(Entry& entry, Deadline deadline) {
  const auto& key = entry.key;
  if (!key) return Error(Code::kFailedPrecondition, "there is no key to make a capsule with");
  auto made = wire::make_capsule(*key, identity_.signing, clock_.now());
  wire::ProxyRequest request;
  *request.mutable_turn() = made.capsule;
  TCFDL_ASSIGN(const auto reply, proxy_.request(request, deadline));
  // The proxy may change EK2 alone: everything else must come back as it was made.
  if (reply.capsule().header() != made.capsule.header() || reply.capsule().ek1() != made.capsule.ek1()) {
    return Error(Code::kUnauthenticated, "the proxy returned another capsule");
  }
  TCFDL_ASSIGN(auto header, wire::verify_turned_capsule(reply.capsule(), identity_.authority, clock_.now()));
  entry.capsule = std::make_shared<const ReadyCapsule>(
      ReadyCapsule{reply.capsule(), std::move(header), std::move(made.secret), key->scope});
  return entry.capsule;
}

} // namespace tcfdl::sdk
