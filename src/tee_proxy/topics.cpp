// Keys and capsules of those who receive what is published to topics.
#include "tee_proxy/proxy.hpp"

namespace tcfdl::tee_proxy {

Result<wire::ProxyReply> TeeProxy::receiver_keys(const wire::ReceiverKeys& request, Deadline deadline) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto holder, wire::verify_certificate(self->authority, request.certificate(),
                                                           {wire::ROLE_CLIENT, wire::ROLE_INSTANCE}, clock_.now()));
  TCFDL_TRY(self->revocations->check(holder));
  wire::AuthorityRequest wanted;
  *wanted.mutable_receiver_keys()->mutable_keys() = request;
  *wanted.mutable_receiver_keys()->mutable_proxy_certificate() = self->certificate;
  TCFDL_ASSIGN(const auto answer, authority_.request(wanted, deadline));
  if (!answer.has_receiver_keys()) return Error(Code::kInternal, "the authority gave no keys to receive with");
  const auto& granted = answer.receiver_keys();
  TCFDL_ASSIGN(const auto scope, accept_key(granted.proxy_key(), wire::KEY_ROLE_PROXY_PROCESSOR, holder.subject(),
                                            granted.descriptor(), nullptr, request.epoch()));
  if (scope.function() != request.topic() || scope.holder_verify_key() != holder.verify_key() ||
      scope.capsule_life() == 0) {
    return make_error(Code::kPermissionDenied, "the authority answered with keys of {} to {}, asked was {} to {}",
                      scope.holder(), scope.function(), holder.subject(), request.topic());
  }
  wire::ProxyReply reply;
  *reply.mutable_receiver_key() = granted.receiver_key();
  return reply;
}

/// Whoever asks: what comes out serves the holder of the key alone.
Result<wire::ProxyReply> TeeProxy::finish_topic(const wire::FinishTopic& request) const {
  TCFDL_ASSIGN(const auto self, own());
  const auto& capsule = request.capsule();
  const auto now = clock_.now();
  TCFDL_TRY(self->revocations->check(self->parsed));
  // What this reads is verified below, by the same bytes.
  TCFDL_ASSIGN(const auto header, wire::capsule_header_unverified(capsule));
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(capsule.proxy_certificate().statement()));
  TCFDL_TRY(self->revocations->check_key(request.holder_key(), "the receiver"));
  TCFDL_TRY(self->revocations->check_key(header.sender_key(), header.sender()));
  TCFDL_TRY(self->revocations->check(turner));
  TCFDL_TRY(self->revocations->check_epoch(header.function(), header.epoch(), now));
  const auto key = reencryption_.find(wire::KEY_ROLE_PROXY_PROCESSOR, request.holder_key(), header.function(),
                                      header.assurance(), header.epoch(), now);
  if (!key || key->scope.capsule_life() == 0) {
    return make_error(Code::kFailedPrecondition,
                      "this proxy has no key to what is sent to {} in epoch {}; ask for keys", header.function(),
                      header.epoch());
  }
  wire::ProxyReply reply;
  TCFDL_ASSIGN(*reply.mutable_capsule(), wire::finish_capsule(capsule, *key, self->authority, now));
  return reply;
}

} // namespace tcfdl::tee_proxy
