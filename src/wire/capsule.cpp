#include "wire/capsule.hpp"

#include "crypto/random.hpp"

#include <algorithm>

namespace tcfdl::wire {
namespace {

Result<crypto::EncryptedKey> encrypted_key(const Capsule& capsule) {
  std::array<std::uint8_t, crypto::kKeyAndPaddingSize> ek1{};
  if (capsule.ek1().size() != ek1.size()) {
    return make_error(Code::kInvalidArgument, "EK1 has {} bytes, not {}", capsule.ek1().size(), ek1.size());
  }
  std::ranges::copy(as_bytes(capsule.ek1()), ek1.begin());
  TCFDL_ASSIGN(const auto ek2, crypto::Point::from_bytes(as_bytes(capsule.ek2())));
  return crypto::EncryptedKey{ek1, ek2};
}

/// A topic's capsule says when it was made, a function's does not; `topic_life` is 0 for those. FAILED_PRECONDITION for
/// one that a new one would help, as after a clock was set.
Status check_life(const CapsuleHeader& header, std::int64_t now, std::int64_t topic_life) {
  if (header.expires() <= now) return Error(Code::kFailedPrecondition, "the capsule has expired; make a new one");
  if ((header.issued() != 0) != (topic_life != 0)) {
    return Error(Code::kPermissionDenied, "the capsule of a topic serves no function, nor the other way around");
  }
  const auto life = topic_life == 0 ? kCapsuleLifetime : topic_life;
  const auto made = topic_life == 0 ? now : header.issued();
  if (made > now + kClockSkew)
    return Error(Code::kFailedPrecondition, "the capsule is of the future; check both clocks");
  if (header.expires() > made + life + (topic_life == 0 ? kClockSkew : 0)) {
    return make_error(Code::kFailedPrecondition,
                      "the capsule lives longer than {} s; make a new one, or check both clocks", life);
  }
  if (header.capsule_id().size() != 16) return Error(Code::kInvalidArgument, "the capsule id has not 16 bytes");
  return {};
}

Status check_sender_signature(const Capsule& capsule, const CapsuleHeader& header) {
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(header.sender_key())));
  const auto hash = crypto::sha256(as_bytes(capsule.header()));
  return verify_labelled(key, "Capsule", {hash, as_bytes(capsule.ek1()), as_bytes(capsule.commitment())},
                         as_bytes(capsule.sender_signature()));
}

Status check_scope(const CapsuleHeader& header, const KeyScope& scope) {
  if (header.function() != scope.function() || header.assurance() != scope.assurance() ||
      header.epoch() != scope.epoch()) {
    return make_error(Code::kPermissionDenied, "the capsule is for {} ({}, epoch {}), the key for {} ({}, epoch {})",
                      header.function(), header.assurance(), header.epoch(), scope.function(), scope.assurance(),
                      scope.epoch());
  }
  return {};
}

} // namespace

MadeCapsule make_capsule(const SenderKey& key, const crypto::SigningKey& signer, std::int64_t now,
                         const std::string& instance) {
  CapsuleHeader header;
  header.set_sender(key.scope.holder());
  header.set_sender_key(field(signer.public_key().bytes()));
  header.set_function(key.scope.function());
  header.set_assurance(key.scope.assurance());
  header.set_epoch(key.scope.epoch());
  header.set_capsule_id(field(crypto::random_array<16>()));
  const auto topic_life = key.scope.capsule_life();
  header.set_expires(now + (topic_life == 0 ? kCapsuleLifetime : topic_life));
  if (topic_life != 0) header.set_issued(now);
  header.set_instance(instance);

  Capsule capsule;
  capsule.set_header(header.SerializeAsString());
  const auto header_bytes = as_bytes(capsule.header());
  const auto [encrypted, key_and_padding] = crypto::encrypt(key.x, header_bytes);
  auto secret = crypto::derive_capsule_secret(key_and_padding, crypto::capsule_hash(header_bytes, encrypted));
  capsule.set_ek1(field(encrypted.ek1));
  capsule.set_ek2(field(encrypted.ek2.bytes()));
  capsule.set_commitment(field(secret.commitment));
  capsule.set_sender_signature(
      field(sign_labelled(signer, "Capsule", {crypto::sha256(header_bytes), encrypted.ek1, secret.commitment})));
  return {std::move(capsule), std::move(secret)};
}

Result<CapsuleHeader> capsule_header_unverified(const Capsule& capsule) {
  return parse<CapsuleHeader>(capsule.header());
}

Result<Capsule> turn_capsule(const Capsule& unverified, const ProxyKey& key, const crypto::SigningKey& proxy,
                             const Signed& proxy_certificate, std::int64_t now) {
  TCFDL_ASSIGN(const auto header, capsule_header_unverified(unverified));
  TCFDL_TRY(check_life(header, now, key.scope.capsule_life()));
  if (header.issued() != 0 && header.issued() < now - kClockSkew) {
    return Error(Code::kFailedPrecondition, "the capsule was not made just now; make a new one");
  }
  TCFDL_TRY(check_scope(header, key.scope));
  if (header.sender() != key.scope.holder() || header.sender_key() != key.scope.holder_verify_key()) {
    return make_error(Code::kPermissionDenied, "the capsule names the sender {}, the key belongs to {}",
                      header.sender(), key.scope.holder());
  }
  TCFDL_TRY(check_sender_signature(unverified, header));
  TCFDL_ASSIGN(const auto encrypted, encrypted_key(unverified));

  Capsule turned = unverified;
  const auto ek2 = crypto::reencrypt(key.rk, encrypted.ek2);
  turned.set_ek2(field(ek2.bytes()));
  const auto hash = crypto::sha256(as_bytes(turned.header()));
  turned.set_countersignature(field(
      sign_labelled(proxy, "Countersignature", {hash, encrypted.ek1, as_bytes(turned.commitment()), ek2.bytes()})));
  *turned.mutable_proxy_certificate() = proxy_certificate;
  return turned;
}

Result<CapsuleHeader> verify_turned_capsule(const Capsule& unverified, const crypto::VerifyKey& authority,
                                            std::int64_t now, bool of_topic) {
  TCFDL_ASSIGN(auto header, capsule_header_unverified(unverified));
  TCFDL_TRY(check_life(header, now, of_topic ? kLongestRetention + kCapsuleLifetime : 0));
  TCFDL_TRY(check_sender_signature(unverified, header));
  // A proxy's certificate ends before what it countersigned for a topic does.
  const auto at = of_topic ? header.issued() : now;
  TCFDL_ASSIGN(const auto proxy, verify_certificate(authority, unverified.proxy_certificate(), {ROLE_PROXY}, at));
  TCFDL_ASSIGN(const auto proxy_key, crypto::VerifyKey::from_bytes(as_bytes(proxy.verify_key())));
  const auto hash = crypto::sha256(as_bytes(unverified.header()));
  auto countersigned =
      verify_labelled(proxy_key, "Countersignature",
                      {hash, as_bytes(unverified.ek1()), as_bytes(unverified.commitment()), as_bytes(unverified.ek2())},
                      as_bytes(unverified.countersignature()));
  if (!countersigned) return countersigned.error().within("the capsule's countersignature");
  return header;
}

Result<Capsule> finish_capsule(const Capsule& unverified, const ProxyKey& key, const crypto::VerifyKey& authority,
                               std::int64_t now) {
  TCFDL_ASSIGN(const auto header, verify_turned_capsule(unverified, authority, now, key.scope.capsule_life() != 0));
  TCFDL_TRY(check_scope(header, key.scope));
  TCFDL_ASSIGN(const auto encrypted, encrypted_key(unverified));
  Capsule finished = unverified;
  finished.set_ek2(field(crypto::reencrypt(key.rk, encrypted.ek2).bytes()));
  return finished;
}

Result<crypto::CapsuleSecret> open_capsule(const crypto::DecryptionKey& key, const Capsule& capsule) {
  TCFDL_ASSIGN(const auto encrypted, encrypted_key(capsule));
  const auto header = as_bytes(capsule.header());
  const auto key_and_padding = crypto::decrypt(key, encrypted, header);
  auto secret = crypto::derive_capsule_secret(key_and_padding, crypto::capsule_hash(header, encrypted));
  TCFDL_TRY(crypto::check_commitment(secret, as_bytes(capsule.commitment())));
  return secret;
}

Result<crypto::CapsuleSecret> open_own_capsule(const SenderKey& key, const crypto::VerifyKey& signer,
                                               const Capsule& capsule) {
  TCFDL_ASSIGN(const auto header, capsule_header_unverified(capsule));
  if (!std::ranges::equal(as_bytes(header.sender_key()), signer.bytes())) {
    return Error(Code::kUnauthenticated, "the capsule names another sender");
  }
  TCFDL_TRY(check_sender_signature(capsule, header));
  if (const auto same = check_scope(header, key.scope); !same) {
    return Error(Code::kFailedPrecondition, same.error().message());
  }
  return open_capsule(crypto::DecryptionKey(key.x), capsule);
}

} // namespace tcfdl::wire
