// The capsules of a caller: one a function, made once and used until it nears its end.
#pragma once

#include "base/clock.hpp"
#include "sdk/identity.hpp"
#include "sdk/ports.hpp"
#include "wire/capsule.hpp"
#include "wire/revocations.hpp"

#include <atomic>
#include <map>
#include <mutex>

namespace tcfdl::sdk {

/// A capsule in f form and the key inside it. Immutable, shared by calls in flight.
struct ReadyCapsule {
  wire::Capsule capsule;
  wire::CapsuleHeader header;
  crypto::CapsuleSecret secret;
  wire::KeyScope scope = {}; ///< of the sender's key: whose the function is, as the authority states it
  UnixSeconds made = 0;
  /// No task begins with it later. Capsule and countersigner's certificate outlive that.
  UnixSeconds good_until = 0;
  std::string own_ek2 = {}; ///< EK2 in the sender's form

  /// Whether a task may begin with it. None does before it was made, by a clock that was set back since: instances
  /// would find that it lives too long.
  [[nodiscard]] bool serves(UnixSeconds now) const noexcept { return made <= now && now < good_until; }
};

/// Thread-safe. A function's keys and capsule are asked for once, also by callers that come at the same time.
class CapsuleSession {
public:
  CapsuleSession(const Identity& identity, Proxy& proxy, const Clock& clock)
      : identity_(identity), proxy_(proxy), clock_(clock) {}

  /// The capsule for a function and class, of the epoch that the authority has in force: `least_epoch`, which the
  /// function's owner states, or a higher one. PERMISSION_DENIED for keys of an epoch below one that was seen; errors
  /// of the authority and the proxy. `instance`: one capsule for that instance alone, used by nobody else; empty: the
  /// one that all calls share.
  Result<std::shared_ptr<const ReadyCapsule>> get(const std::string& function, const std::string& assurance,
                                                  std::uint32_t least_epoch, Deadline deadline,
                                                  const std::string& instance = {},
                                                  const std::string& traceparent = {}) {
    return provide({function, assurance, least_epoch, instance, traceparent}, deadline, instance.empty());
  }
  /// One for a task that is stored: at the start of its life, and used by no other.
  Result<std::shared_ptr<const ReadyCapsule>> get_fresh(const std::string& function, const std::string& assurance,
                                                        std::uint32_t least_epoch, Deadline deadline) {
    return provide({function, assurance, least_epoch, {}, {}}, deadline, false);
  }
  /// The key with which capsules of that epoch are made, and opened again by who made them. FAILED_PRECONDITION where
  /// another epoch is in force.
  Result<std::shared_ptr<const wire::SenderKey>> key(const std::string& function, const std::string& assurance,
                                                     std::uint32_t epoch, Deadline deadline);
  /// Drops a capsule that an instance refuses, and the key that it was made with.
  void forget(const std::string& function, const std::string& assurance, const ReadyCapsule& capsule);
  /// After a newer list: every capsule is made anew, since an instance that was revoked may know what is in it, and
  /// keys of epochs that are not in force are dropped.
  void forget_void(const wire::Revocations& revocations);

private:
  struct Entry {
    std::timed_mutex mutex;
    std::shared_ptr<const wire::SenderKey> key;  // guarded by mutex
    std::shared_ptr<const ReadyCapsule> capsule; // guarded by mutex
    std::uint32_t newest = 0;                    // epoch that was seen; guarded by mutex
    std::atomic<bool> is_void = false;           // what `capsule` is
  };

  /// What a capsule is wanted for, and the call that waits for it.
  struct Wish {
    const std::string& function;
    const std::string& assurance;
    std::uint32_t least_epoch;
    std::string instance;
    std::string traceparent;
  };

  Result<std::shared_ptr<const ReadyCapsule>> provide(const Wish& wish, Deadline deadline, bool shared);
  std::shared_ptr<Entry> entry(const std::string& name);
  Status fetch_key(Entry& entry, const std::string& function, const std::string& assurance, Deadline deadline);
  Result<std::shared_ptr<const ReadyCapsule>> make(const Entry& entry, const Wish& wish, Deadline deadline);

  const Identity& identity_;
  Proxy& proxy_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Entry>> entries_; // guarded by mutex_
};

} // namespace tcfdl::sdk
