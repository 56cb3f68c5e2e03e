// How two neighbours on a path agree on the keys of a protected hop: mutually attested ECDH. docs/formats/hse.md.
#pragma once

#include "wire/hop_records.hpp"
#include "wire/signed.hpp"

namespace tcfdl::wire {

/// One side's own identity; references outlive the handshake.
struct HopIdentity {
  const crypto::SigningKey& signing;
  const Signed& certificate;
  const crypto::VerifyKey& authority;
};

/// What both sides know at the end.
struct HopAgreement {
  Certificate peer;
  HopSecret request; ///< from the side nearer to the caller
  HopSecret result;
  std::int64_t expires = 0; ///< Unix seconds: the earlier end of both certificates
};

namespace internal {

/// The keys of a handshake: HKDF over the ephemeral secret, the nonces, and all that both sides said of themselves.
struct HopKeys {
  crypto::Sha256Digest transcript{};
  HopSecret request;
  HopSecret result;
  crypto::SecretArray<32> confirm_offer;
  crypto::SecretArray<32> confirm_answer;
};

} // namespace internal

/// The side nearer to the caller: sends `offer`, hands in the answer, sends what that gives. One thread.
class HopInitiator {
public:
  explicit HopInitiator(const HopIdentity& identity);

  /// A HopIntroduction.
  [[nodiscard]] const Bytes& offer() const noexcept { return offer_; }

  /// Checks a HopAnswer and fills `finish`, a HopFinish. UNAUTHENTICATED or PERMISSION_DENIED says which check failed;
  /// a peer's refusal is UNAVAILABLE with its words.
  Result<HopAgreement> finish(BytesView answer, std::initializer_list<Role> roles, std::int64_t now, Bytes& finish);

private:
  const HopIdentity identity_;
  crypto::Scalar share_;
  Bytes nonce_;
  Bytes offer_;
};

/// The other side: answers an offer and waits for the end. One thread.
class HopResponder {
public:
  /// Checks a HopIntroduction. UNAUTHENTICATED or PERMISSION_DENIED says which check failed.
  static Result<HopResponder> answer(const HopIdentity& identity, BytesView offer, std::initializer_list<Role> roles,
                                     std::int64_t now);

  /// A HopAnswer.
  [[nodiscard]] const Bytes& message() const noexcept { return message_; }

  /// Checks a HopFinish: before it, nothing shows that the peer is the one of the certificate, and that it lives.
  Result<HopAgreement> confirm(BytesView finish) &&;

private:
  HopResponder(Certificate peer, internal::HopKeys keys, std::int64_t expires)
      : peer_(std::move(peer)), keys_(std::move(keys)), expires_(expires) {}

  Certificate peer_;
  internal::HopKeys keys_;
  std::int64_t expires_;
  crypto::Sha256Digest second_transcript_{};
  Bytes message_;
};

} // namespace tcfdl::wire
