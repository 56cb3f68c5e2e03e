#include "sdk/topic_keys.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::size_t kMostOpened = 4096;
constexpr std::size_t kMostKeys = 256;

} // namespace

Result<TopicKeys::Secret> TopicKeys::open(const wire::Descriptor* descriptor, const wire::TopicHeader& header,
                                          const wire::Capsule& capsule, Deadline deadline) {
  // By all of it: whoever knows the key inside could put another sender beside the same id.
  const auto name = crypto::sha256(wire::serialize(capsule));
  if (auto secret = known(name)) return secret;
  TCFDL_ASSIGN(const auto made, wire::verify_turned_capsule(capsule, identity_.authority, clock_.now(), true));
  TCFDL_ASSIGN(auto key, key_of(header, deadline, false));
  wire::ProxyRequest request;
  *request.mutable_finish_topic()->mutable_capsule() = capsule;
  request.mutable_finish_topic()->set_holder_key(wire::field(identity_.signing.public_key().bytes()));
  auto reply = proxy_.request(request, deadline);
  if (!reply && reply.error().code() == Code::kFailedPrecondition) { // the proxy was restarted and has lost its key
    TCFDL_ASSIGN(key, key_of(header, deadline, true));
    reply = proxy_.request(request, deadline);
  }
  if (!reply) return reply.error();
  if (descriptor != nullptr) TCFDL_TRY(wire::check_owner(key->scope, *descriptor));
  auto finished = capsule;
  finished.set_ek2(reply->capsule().ek2()); // the rest was verified above
  TCFDL_ASSIGN(auto opened, wire::open_capsule(key->key, finished));
  auto secret = std::make_shared<const crypto::CapsuleSecret>(std::move(opened));
  remember(name, secret, made.expires());
  return secret;
}

Result<TopicKeys::KeyPtr> TopicKeys::key_of(const wire::TopicHeader& header, Deadline deadline, bool anew) {
  const KeyName name{header.topic(), header.assurance(), header.epoch()};
  const auto held = [&] {
    return keys_.with([&](const auto& keys) -> KeyPtr {
      const auto found = keys.find(name);
      return anew || found == keys.end() || found->second->scope.expires() <= clock_.now() ? nullptr : found->second;
    });
  };
  if (auto key = held()) return key;
  const std::unique_lock lock(fetching_, deadline.when());
  if (!lock) return Deadline::exceeded("the wait for keys that another message gets");
  if (auto key = held()) return key;
  TCFDL_ASSIGN(auto fetched, fetch(header, deadline));
  keys_.with([&](auto& keys) {
    if (keys.size() >= kMostKeys) keys.clear();
    keys.insert_or_assign(name, fetched);
  });
  return fetched;
}

Result<TopicKeys::KeyPtr> TopicKeys::fetch(const wire::TopicHeader& header, Deadline deadline) {
  wire::ProxyRequest request;
  auto& keys = *request.mutable_receiver_keys();
  keys.set_topic(header.topic());
  keys.set_assurance(header.assurance());
  keys.set_epoch(header.epoch());
  *keys.mutable_certificate() = identity_.certificate.get();
  auto answer = proxy_.request(request, deadline);
  if (!answer && answer.error().code() == Code::kUnauthenticated) { // of the certificate before this one
    *keys.mutable_certificate() = identity_.certificate.get();
    answer = proxy_.request(request, deadline);
  }
  TCFDL_ASSIGN(const auto reply, std::move(answer));
  wire::KeyScope scope;
  TCFDL_ASSIGN(const auto x,
               open_key_package(identity_, reply.receiver_key(), wire::KEY_ROLE_PROCESSOR, clock_.now(), scope));
  if (scope.function() != header.topic() || scope.assurance() != header.assurance() ||
      scope.epoch() != header.epoch() || scope.capsule_life() == 0) {
    return make_error(Code::kPermissionDenied, "asked for a key to {} ({}, epoch {}), got one to {} ({}, epoch {})",
                      header.topic(), header.assurance(), header.epoch(), scope.function(), scope.assurance(),
                      scope.epoch());
  }
  return std::make_shared<const Key>(Key{crypto::DecryptionKey(x), std::move(scope)});
}

TopicKeys::Secret TopicKeys::known(const crypto::Sha256Digest& capsule) const {
  return opened_.with([&](const auto& opened) -> Secret {
    const auto found = opened.find(capsule);
    if (found == opened.end() || found->second.expires <= clock_.now()) return nullptr;
    return found->second.secret;
  });
}

void TopicKeys::remember(const crypto::Sha256Digest& capsule, const Secret& secret, std::int64_t expires) {
  opened_.with([&](auto& opened) {
    if (opened.size() >= kMostOpened) opened.clear();
    opened.insert_or_assign(capsule, Opened{secret, expires});
  });
}

} // namespace tcfdl::sdk
