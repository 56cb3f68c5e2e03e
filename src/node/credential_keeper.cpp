#include "node/credential_keeper.hpp"

#include "base/file.hpp"
#include "service_manager/service.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

constexpr std::size_t kLargestReply = std::size_t{256} * 1024;

} // namespace

AskCredential ask_over(message_queue::Bus& bus, std::string subject, const crypto::SigningKey& signing,
                       wire::HeldCertificate certificate, const Clock& clock) {
  return [&bus, subject = std::move(subject), &signing, certificate = std::move(certificate),
          &clock](const collaboration::CredentialRequest& request,
                  Deadline deadline) -> Result<collaboration::CredentialReply> {
    const auto asked = service_manager::make_request(signing, certificate.get(), clock.now(), wire::serialize(request));
    TCFDL_ASSIGN(const auto reply, bus.request(subject, wire::serialize(asked), deadline));
    return wire::parse<collaboration::CredentialReply>(reply);
  };
}

CredentialKeeper::CredentialKeeper(CredentialKeeperSettings settings, message_queue::Nkey key, const Clock& clock)
    : settings_(std::move(settings)), clock_(clock),
      credential_(std::make_shared<message_queue::UserCredential>(std::move(key), std::string())) {}

Result<std::unique_ptr<CredentialKeeper>> CredentialKeeper::open(CredentialKeeperSettings settings,
                                                                 message_queue::Nkey key, const AskCredential& ask,
                                                                 const Clock& clock) {
  std::unique_ptr<CredentialKeeper> keeper(new CredentialKeeper(std::move(settings), std::move(key), clock));
  if (!keeper->read_kept()) TCFDL_TRY(keeper->renew(ask, Deadline::after(seconds(20))));
  return keeper;
}

bool CredentialKeeper::read_kept() {
  const auto bytes = read_file(settings_.file, kLargestReply);
  if (!bytes) return false;
  auto kept = wire::parse<collaboration::CredentialReply>(*bytes);
  if (!kept || kept->credential().expires() <= clock_.now() || !check_certificate(*kept)) return false;
  credential_->replace(kept->credential().jwt());
  reply_.with([&](auto& reply) { reply = *std::move(kept); });
  return true;
}

Status CredentialKeeper::check_certificate(const collaboration::CredentialReply& reply) const {
  if (!settings_.certificate) return {};
  const auto& wanted = *settings_.certificate;
  const auto leaf = crypto::Certificate::parse(as_bytes(reply.tls_certificate()));
  if (!leaf) return leaf.error().within("the TLS certificate that came with the credential");
  return crypto::check_tls_certificate(*leaf, wanted.root, wanted.key, wanted.server_name, clock_.now());
}

collaboration::CredentialReply CredentialKeeper::reply() const {
  return reply_.with([](const auto& reply) { return reply; });
}

Status CredentialKeeper::renew(const AskCredential& ask, Deadline deadline) {
  collaboration::CredentialRequest request;
  request.set_user_key(credential_->public_text());
  request.mutable_own()->set_signing_key(settings_.signing_key);
  if (settings_.certificate) request.mutable_own()->set_tls_key(wire::field(settings_.certificate->key.bytes()));
  const auto fresh = ask(request, deadline);
  if (!fresh) return fresh.error().within("asking for a NATS credential");
  TCFDL_TRY(message_queue::check_jwt_form(fresh->credential().jwt()));
  TCFDL_TRY(check_certificate(*fresh));
  TCFDL_TRY(write_file(settings_.file, wire::serialize(*fresh), kPrivateFile));
  credential_->replace(fresh->credential().jwt());
  reply_.with([&](auto& reply) { reply = *fresh; });
  return {};
}

void CredentialKeeper::start(AskCredential ask, CredentialRenewed on_renewed) {
  ask_ = std::move(ask);
  on_renewed_ = std::move(on_renewed);
  const auto lifetime = [this] {
    const auto credential = reply().credential();
    return Lifetime{credential.issued(), credential.expires()};
  };
  renewal_.emplace(RenewalSettings{.what = "the NATS credential", .look_every = settings_.look_every}, clock_, lifetime,
                   [this] { return renew_now(Deadline::after(seconds(20))); });
}

Status CredentialKeeper::renew_now(Deadline deadline) {
  const std::scoped_lock lock(renewing_);
  TCFDL_TRY(renew(ask_, deadline));
  return on_renewed_ ? on_renewed_(reply()) : Status();
}

void CredentialKeeper::stop() noexcept {
  if (renewal_) renewal_->stop();
}

} // namespace tcfdl::node
