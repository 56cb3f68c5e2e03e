// The keys with which a subscriber opens what was published to topics.
#pragma once

#include "sdk/identity.hpp"
#include "sdk/ports.hpp"
#include "wire/known_names.hpp"
#include "wire/topic.hpp"

#include <map>

namespace tcfdl::sdk {

/// Keys by topic, class and epoch, asked for once; capsules that were opened. Thread-safe; references outlive it.
class TopicKeys {
public:
  using Secret = std::shared_ptr<const crypto::CapsuleSecret>;

  TopicKeys(const Identity& identity, Proxy& proxy, const Clock& clock)
      : identity_(identity), proxy_(proxy), clock_(clock) {}

  /// What the capsule of a checked message holds. UNAUTHENTICATED for a capsule that is not signed and countersigned as
  /// it must be, PERMISSION_DENIED without a grant, or for a topic of another owner than `descriptor`'s (nullptr: the
  /// authority knows whose), FAILED_PRECONDITION for an epoch that is over.
  Result<Secret> open(const wire::Descriptor* descriptor, const wire::TopicHeader& header, const wire::Capsule& capsule,
                      Deadline deadline);

private:
  struct Key {
    crypto::DecryptionKey key;
    wire::KeyScope scope;
  };
  using KeyPtr = std::shared_ptr<const Key>;
  using KeyName = std::tuple<std::string, std::string, std::uint32_t>; // topic, class, epoch
  struct Opened {
    Secret secret;
    std::int64_t expires;
  };

  Result<KeyPtr> key_of(const wire::TopicHeader& header, Deadline deadline, bool anew);
  Result<KeyPtr> fetch(const wire::TopicHeader& header, Deadline deadline);
  [[nodiscard]] Secret known(const crypto::Sha256Digest& capsule) const;
  void remember(const crypto::Sha256Digest& capsule, const Secret& secret, std::int64_t expires);

  const Identity& identity_;
  Proxy& proxy_;
  const Clock& clock_;
  std::timed_mutex fetching_;
  Guarded<std::map<KeyName, KeyPtr>> keys_;
  Guarded<std::map<crypto::Sha256Digest, Opened>> opened_; // by the capsule's hash
};

} // namespace tcfdl::sdk
