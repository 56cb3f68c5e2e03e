// The keys with which an instance processes tasks, one for each epoch that is valid, and the capsules that they opened.
#pragma once

#include "base/guarded.hpp"
#include "sdk/identity.hpp"
#include "sdk/ports.hpp"
#include "sdk/server_tls.hpp"
#include "wire/capsule.hpp"
#include "wire/revocations.hpp"

#include <map>
#include <optional>

namespace tcfdl::sdk {

/// What the authority gave an instance to process tasks with.
struct ProcessorKey {
  crypto::DecryptionKey key;
  wire::KeyScope scope;
};

using CapsuleSecretPtr = std::shared_ptr<const crypto::CapsuleSecret>;

/// Whose keys they are.
struct ProcessorKeysSettings {
  std::string instance;
  std::string function;
  bool isolated = false; ///< capsules are for one lease of one instance, as the function's owner wants it
  std::function<Status(const TlsChain&)> renew_tls = {}; ///< gets what came with a new certificate; empty: no TLS
};

/// Thread-safe; references outlive it.
class ProcessorKeys {
public:
  ProcessorKeys(ProcessorKeysSettings settings, const Identity& identity, ProcessorKey key, Proxy& proxy,
                const Clock& clock, const wire::Revocations& revocations);

  /// The class of every key.
  [[nodiscard]] const std::string& assurance() const noexcept { return assurance_; }

  /// What a capsule in f form holds for the task of that header and lease; known under its id from then on.
  /// PERMISSION_DENIED for a capsule of another task, caller, class, instance or lease, UNAUTHENTICATED for one that is
  /// not signed and countersigned as it must be, FAILED_PRECONDITION for an epoch without a key here and for one whose
  /// time is not now. `traceparent`: of the task.
  Result<CapsuleSecretPtr> open(const wire::Capsule& capsule, const wire::SealedHeader& task, const wire::Lease& lease,
                                Deadline deadline, const std::string& traceparent = {});
  /// The same for a capsule that was opened before. FAILED_PRECONDITION when it is not known (any more).
  [[nodiscard]] Result<CapsuleSecretPtr> find(const wire::SealedHeader& task, const wire::Lease& lease) const;

  /// Gets the certificate and key of now from the proxy, and goes on with those. Errors of the proxy and the authority.
  Status renew(Deadline deadline);

  /// Erases keys and capsules of epochs that are over, and capsules of senders who are revoked.
  void erase_void();

private:
  using ProcessorKeyPtr = std::shared_ptr<const ProcessorKey>;
  struct KnownCapsule {
    std::string sender;
    std::string sender_key;
    std::int64_t expires;
    std::uint32_t epoch;
    CapsuleSecretPtr secret;
    std::string lease_id; ///< that it came with
  };

  [[nodiscard]] ProcessorKeyPtr find_key(std::uint32_t epoch) const;
  Result<ProcessorKeyPtr> key_of(std::uint32_t epoch, Deadline deadline);
  Status renew_key(Deadline deadline);
  [[nodiscard]] std::optional<KnownCapsule> known_capsule(const std::string& id) const;
  [[nodiscard]] Status check_isolation(const wire::CapsuleHeader& header) const;
  [[nodiscard]] Status check_lease(const KnownCapsule& known, const wire::Lease& lease) const;
  Status remember(const wire::CapsuleHeader& header, const wire::Lease& lease, const CapsuleSecretPtr& secret);

  // Constant after construction.
  const ProcessorKeysSettings settings_;
  const Identity& identity_;
  const std::string assurance_;
  Proxy& proxy_;
  const Clock& clock_;
  const wire::Revocations& revocations_;

  Guarded<std::map<std::uint32_t, ProcessorKeyPtr>> keys_; // by epoch
  std::timed_mutex renewing_;
  std::uint32_t newest_;                                  // epoch of which there was a key; guarded by renewing_
  Guarded<std::map<std::string, KnownCapsule>> capsules_; // by capsule id
};

} // namespace tcfdl::sdk
