// The proxy's part of hop-by-hop protection: opens what comes from one neighbour and seals it for the next.
#pragma once

#include "base/clock.hpp"
#include "wire/hop_channel.hpp"
#include "wire/revocations.hpp"

#include <condition_variable>
#include <functional>
#include <map>

namespace tcfdl::tee_proxy {

/// Who the proxy is; a copy stays valid while a path stands.
struct HopSelf {
  wire::Signed certificate;
  wire::Certificate parsed;
  crypto::VerifyKey authority;
  std::shared_ptr<wire::Revocations> revocations; ///< never nullptr
};

/// What passed through paths that have ended, records.
struct HopCounters {
  std::uint64_t opened = 0;
  std::uint64_t sealed = 0;
};

/// Paths through this proxy. The daemon, which is not trusted, brings both connections of a path; who is at their other
/// ends is for the handshakes to show. A path holds one record a direction. Thread-safe.
class Hops {
public:
  /// FAILED_PRECONDITION before the proxy has an identity.
  using WhoAmI = std::function<Result<std::shared_ptr<const HopSelf>>()>;

  /// References outlive this.
  Hops(const crypto::SigningKey& signing, WhoAmI who_am_i, const Clock& clock)
      : signing_(signing), who_am_i_(std::move(who_am_i)), clock_(clock) {}

  /// Serves one side of a path on the calling thread until the path ends.
  void serve(wire::Connection& connection, const wire::HopSide& side);

  [[nodiscard]] HopCounters counters() const;

private:
  /// Where both connections of a session meet.
  struct Meeting {
    wire::Connection* onward = nullptr; // while its thread waits for `ended`
    bool taken = false;                 // by the side towards the caller
    bool ended = false;
  };
  using MeetingPtr = std::shared_ptr<Meeting>;

  void serve_onward(wire::Connection& connection, const std::string& session);
  void serve_caller(wire::Connection& connection, const std::string& session);
  Status run(wire::Connection& towards_caller, wire::Connection& onward);
  Status check_caller(wire::HopRoute& route, const wire::Certificate& peer, const wire::Certificate& self) const;
  Status check_next(const wire::HopRoute& route, const wire::Certificate& peer, const wire::Certificate& self) const;
  Result<std::vector<std::string>> extend(wire::HopRoute route, const wire::Certificate& peer, const HopSelf& self,
                                          wire::Connection& onward, std::unique_ptr<wire::HopChannel>& next,
                                          Deadline deadline);
  void forward(wire::HopChannel& towards_caller, wire::HopChannel& onward, const wire::Revocations& revocations);

  const crypto::SigningKey& signing_;
  const WhoAmI who_am_i_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable met_;
  std::map<std::string, MeetingPtr> meetings_; // guarded by mutex_, as is what they point to; by session
  HopCounters counters_;                       // guarded by mutex_
};

} // namespace tcfdl::tee_proxy
