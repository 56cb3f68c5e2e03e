// A node's own NATS credential: asked for once, kept on disk, renewed in time.
#pragma once

#include "base/clock.hpp"
#include "base/renewal.hpp"
#include "collaboration/credentials.pb.h"
#include "crypto/tls_certificate.hpp"
#include "message_queue/bus.hpp"
#include "message_queue/user_credential.hpp"
#include "wire/held_certificate.hpp"

#include <filesystem>
#include <mutex>

namespace tcfdl::node {

using AskCredential =
    std::function<Result<collaboration::CredentialReply>(const collaboration::CredentialRequest&, Deadline)>;
using CredentialRenewed = std::function<Status(const collaboration::CredentialReply&)>;

/// Asks over a bus in the name of a certificate; what is referred to outlives what is returned.
AskCredential ask_over(message_queue::Bus& bus, std::string subject, const crypto::SigningKey& signing,
                       wire::HeldCertificate certificate, const Clock& clock);

/// The TLS certificate that comes with a credential.
struct WantedCertificate {
  crypto::VerifyKey key;
  crypto::Certificate root;
  std::string server_name; ///< a name that it must have
};

struct CredentialKeeperSettings {
  std::filesystem::path file;                     ///< holds the last reply; nothing in it is secret
  std::string signing_key{};                      ///< masters: public nkey that is to sign the cluster's users
  std::optional<WantedCertificate> certificate{}; ///< masters: of their servers
  /// How often it looks at the clock at least, which may jump while waits do not.
  std::chrono::milliseconds look_every = RenewalSettings{}.look_every;
};

/// `start` begins a thread that renews at half-life, and again after a failure; a renewed JWT is used from the
/// next connection on, which the server brings about when the old one expires. Owned by the root; `start` and `stop`
/// from one thread, the rest from any. The clock outlives it.
class CredentialKeeper {
public:
  /// What was kept, if it is of this key and has not expired; otherwise asks. Errors of `ask`.
  static Result<std::unique_ptr<CredentialKeeper>> open(CredentialKeeperSettings settings, message_queue::Nkey key,
                                                        const AskCredential& ask, const Clock& clock);
  CredentialKeeper(const CredentialKeeper&) = delete;
  CredentialKeeper& operator=(const CredentialKeeper&) = delete;
  ~CredentialKeeper() { stop(); }

  [[nodiscard]] std::shared_ptr<const message_queue::UserCredential> credential() const { return credential_; }
  /// Its certificate, if one is wanted, was checked.
  [[nodiscard]] collaboration::CredentialReply reply() const;

  /// What it renews with, and what puts each new reply in force, one at a time; none for nothing.
  void start(AskCredential ask, CredentialRenewed on_renewed);
  /// Asks now; what it returns with is kept and in force, and newer than the call. After `start`.
  Status renew_now(Deadline deadline);
  void stop() noexcept;

private:
  CredentialKeeper(CredentialKeeperSettings settings, message_queue::Nkey key, const Clock& clock);
  [[nodiscard]] bool read_kept();
  Status renew(const AskCredential& ask, Deadline deadline);
  [[nodiscard]] Status check_certificate(const collaboration::CredentialReply& reply) const;

  const CredentialKeeperSettings settings_;
  const Clock& clock_;
  const std::shared_ptr<message_queue::UserCredential> credential_;
  Guarded<collaboration::CredentialReply> reply_;
  AskCredential ask_; // constant after start(), as is the next
  CredentialRenewed on_renewed_;
  std::mutex renewing_; // held from the question until the answer is in force
  std::optional<Renewal> renewal_;
};

} // namespace tcfdl::node
