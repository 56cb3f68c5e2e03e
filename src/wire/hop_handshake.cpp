#include "wire/hop_handshake.hpp"

#include "crypto/random.hpp"
#include "wire/proto/hop.pb.h"

namespace tcfdl::wire {
namespace {

constexpr std::string_view kAnswerLabel = "HopAnswer";
constexpr std::string_view kFinishLabel = "HopFinish";

/// A length of 4 bytes, big endian: the parts of a hash cannot run into each other.
std::array<std::uint8_t, 4> length_of(BytesView part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  return {static_cast<std::uint8_t>(size >> 24U), static_cast<std::uint8_t>(size >> 16U),
          static_cast<std::uint8_t>(size >> 8U), static_cast<std::uint8_t>(size)};
}

void add(crypto::Sha256& hash, BytesView part) {
  hash.update(length_of(part));
  hash.update(part);
}

Bytes introduction(const HopIdentity& identity, const crypto::Scalar& share, BytesView nonce) {
  HopIntroduction self;
  self.set_share(field(crypto::Point::generator_times(share).bytes()));
  self.set_nonce(field(nonce));
  *self.mutable_certificate() = identity.certificate;
  return serialize(self);
}

/// What one side said of itself, checked as far as its words go.
struct Introduced {
  crypto::Point share;
  Bytes nonce;
  Certificate certificate;
  crypto::VerifyKey key;
};

Result<Introduced> check_introduction(BytesView unverified, const HopIdentity& self, std::initializer_list<Role> roles,
                                      std::int64_t now) {
  TCFDL_ASSIGN(const auto said, parse<HopIntroduction>(unverified));
  if (said.nonce().size() != kNonceSize) return Error(Code::kUnauthenticated, "the nonce has not 32 bytes");
  TCFDL_ASSIGN(auto certificate, verify_certificate(self.authority, said.certificate(), roles, now));
  TCFDL_ASSIGN(auto key, crypto::VerifyKey::from_bytes(as_bytes(certificate.verify_key())));
  if (key == self.signing.public_key()) return Error(Code::kUnauthenticated, "the peer shows our own certificate");
  TCFDL_ASSIGN(auto share, crypto::Point::from_bytes(as_bytes(said.share())));
  return Introduced{share, to_bytes(said.nonce()), std::move(certificate), std::move(key)};
}

/// Both introductions, then identity, evidence and key of each side by itself.
crypto::Sha256Digest transcript_of(BytesView offer, const Certificate& offering, BytesView answer,
                                   const Certificate& answering) {
  crypto::Sha256 hash;
  hash.update(as_bytes("tcfdl/1/hse"));
  add(hash, offer);
  add(hash, answer);
  for (const auto* side : {&offering, &answering}) {
    add(hash, as_bytes(side->subject()));
    add(hash, as_bytes(side->evidence_hash()));
    add(hash, as_bytes(side->verify_key()));
  }
  return hash.finish();
}

internal::HopKeys derive(const crypto::Point& theirs, const crypto::Scalar& ours, BytesView offer_nonce,
                         BytesView answer_nonce, const crypto::Sha256Digest& transcript) {
  const auto shared = crypto::secret_times(theirs, ours);
  Bytes salt(offer_nonce.begin(), offer_nonce.end());
  salt.insert(salt.end(), answer_nonce.begin(), answer_nonce.end());
  const auto prk = crypto::hkdf_extract(salt, {BytesView(shared.span()).subspan(1, crypto::kScalarSize)});
  internal::HopKeys keys;
  keys.transcript = transcript;
  const auto expand = [&](std::string_view what, std::span<std::uint8_t> out) {
    crypto::hkdf_expand_into(prk.span(), {as_bytes("tcfdl/1/hse/"), as_bytes(what), transcript}, out);
  };
  expand("request", keys.request.span());
  expand("result", keys.result.span());
  expand("confirm-offer", keys.confirm_offer.span());
  expand("confirm-answer", keys.confirm_answer.span());
  return keys;
}

/// What the offering side signs: the transcript and what the answering side vouched for it with.
crypto::Sha256Digest second_transcript(const crypto::Sha256Digest& first, BytesView signature, BytesView confirmation) {
  crypto::Sha256 hash;
  hash.update(first);
  add(hash, signature);
  add(hash, confirmation);
  return hash.finish();
}

Status check_confirmation(BytesView key, const crypto::Sha256Digest& transcript, BytesView shown) {
  if (crypto::equal_constant_time(crypto::hmac_sha256(key, transcript), shown)) return {};
  return Error(Code::kUnauthenticated, "the peer's keys are not ours: somebody sits between the two");
}

Result<std::int64_t> earlier_end(const HopIdentity& self, const Certificate& peer) {
  TCFDL_ASSIGN(const auto own, parse<Certificate>(self.certificate.statement()));
  return std::min(own.expires(), peer.expires());
}

} // namespace

HopInitiator::HopInitiator(const HopIdentity& identity)
    : identity_(identity), share_(crypto::Scalar::random()), nonce_(kNonceSize) {
  crypto::random_bytes(nonce_);
  offer_ = introduction(identity_, share_, nonce_);
}

Result<HopAgreement> HopInitiator::finish(BytesView answer, std::initializer_list<Role> roles, std::int64_t now,
                                          Bytes& finish) {
  TCFDL_ASSIGN(const auto said, parse<HopAnswer>(answer));
  if (said.has_error()) return make_error(Code::kUnavailable, "the next hop refuses: {}", said.error().message());
  TCFDL_ASSIGN(auto peer, check_introduction(as_bytes(said.introduction()), identity_, roles, now));
  TCFDL_ASSIGN(const auto own, parse<Certificate>(identity_.certificate.statement()));
  const auto transcript = transcript_of(offer_, own, as_bytes(said.introduction()), peer.certificate);
  TCFDL_TRY(verify_labelled(peer.key, kAnswerLabel, {transcript}, as_bytes(said.signature())));
  auto keys = derive(peer.share, share_, nonce_, peer.nonce, transcript);
  TCFDL_TRY(check_confirmation(keys.confirm_answer.span(), transcript, as_bytes(said.confirmation())));

  const auto second = second_transcript(transcript, as_bytes(said.signature()), as_bytes(said.confirmation()));
  HopFinish end;
  end.set_signature(field(sign_labelled(identity_.signing, kFinishLabel, {second})));
  end.set_confirmation(field(crypto::hmac_sha256(keys.confirm_offer.span(), second)));
  finish = serialize(end);
  TCFDL_ASSIGN(const auto expires, earlier_end(identity_, peer.certificate));
  return HopAgreement{std::move(peer.certificate), std::move(keys.request), std::move(keys.result), expires};
}

Result<HopResponder> HopResponder::answer(const HopIdentity& identity, BytesView offer,
                                          std::initializer_list<Role> roles, std::int64_t now) {
  TCFDL_ASSIGN(auto peer, check_introduction(offer, identity, roles, now));
  const auto share = crypto::Scalar::random();
  const auto nonce = crypto::random_array<kNonceSize>();
  const auto self = introduction(identity, share, nonce);
  TCFDL_ASSIGN(const auto own, parse<Certificate>(identity.certificate.statement()));
  const auto transcript = transcript_of(offer, peer.certificate, self, own);
  TCFDL_ASSIGN(const auto expires, earlier_end(identity, peer.certificate));
  HopResponder responder(std::move(peer.certificate), derive(peer.share, share, peer.nonce, nonce, transcript),
                         expires);
  HopAnswer message;
  message.set_introduction(field(self));
  message.set_signature(field(sign_labelled(identity.signing, kAnswerLabel, {transcript})));
  message.set_confirmation(field(crypto::hmac_sha256(responder.keys_.confirm_answer.span(), transcript)));
  responder.second_transcript_ =
      second_transcript(transcript, as_bytes(message.signature()), as_bytes(message.confirmation()));
  responder.message_ = serialize(message);
  return responder;
}

Result<HopAgreement> HopResponder::confirm(BytesView finish) && {
  TCFDL_ASSIGN(const auto said, parse<HopFinish>(finish));
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(peer_.verify_key())));
  TCFDL_TRY(verify_labelled(key, kFinishLabel, {second_transcript_}, as_bytes(said.signature())));
  TCFDL_TRY(check_confirmation(keys_.confirm_offer.span(), second_transcript_, as_bytes(said.confirmation())));
  return HopAgreement{std::move(peer_), std::move(keys_.request), std::move(keys_.result), expires_};
}

} // namespace tcfdl::wire
