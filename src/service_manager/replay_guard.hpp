// Remembers signatures for as long as their time window lasts.
#pragma once

#include "base/clock.hpp"
#include "base/guarded.hpp"
#include "base/result.hpp"
#include "crypto/hash.hpp"

#include <map>

namespace tcfdl::service_manager {

/// Refuses a request that is sent twice. ECDSA signatures can be altered without the key in their second half only, so
/// the first half is what is remembered. Any thread.
class ReplayGuard {
public:
  /// Signatures are remembered for `window` seconds.
  explicit ReplayGuard(std::int64_t window) : window_(window) {}

  /// ALREADY_EXISTS if the verified DER signature was seen within the window; RESOURCE_EXHAUSTED when more than 100,000
  /// are remembered.
  Status admit(BytesView signature, UnixSeconds now);

private:
  const std::int64_t window_;
  Guarded<std::map<crypto::Sha256Digest, UnixSeconds>> seen_; // first half → until when
};

} // namespace tcfdl::service_manager
