// A protected hop between neighbours on a path: a connection whose frames are sealed records. docs/formats/hse.md.
#pragma once

#include "wire/hop_handshake.hpp"

#include <mutex>

namespace tcfdl::wire {

class HopRoute;

/// What `receive_record` gives beside the content.
struct HopRecord {
  FrameKind kind;
  HopTask task;
};

/// One end. A thread that sends and a thread that receives, as of Connection. The carrier outlives it.
///
/// As a Connection it is an end of the path: it names the task of each record, and refuses records of any other. At the
/// caller `begin_task` says which that is; at the instance the last message received does. A proxy passes records on
/// with their tasks by `receive_record` and `send_record`.
class HopChannel final : public Connection {
public:
  /// Which way this end looks: a caller's end seals requests, an instance's results.
  enum class Side : std::uint8_t { kCaller, kInstance };

  HopChannel(Connection& carrier, Side side, HopAgreement agreement, std::int64_t now, HopLimits limits = {});

  Status send(FrameKind kind, BytesView payload, Deadline deadline) override;
  Result<FrameKind> receive(Bytes& payload, Deadline deadline) override;
  void shutdown() noexcept override { carrier_.shutdown(); }
  [[nodiscard]] int descriptor() const noexcept override { return carrier_.descriptor(); }

  /// At the caller: the task of what is sent and received from now on. Nothing is under way then.
  void begin_task(const HopTask& task);
  [[nodiscard]] HopTask task() const;

  /// UNAUTHENTICATED once a certificate has expired, or as `HopOpener::open`.
  Status send_record(FrameKind kind, const HopTask& task, BytesView content, Deadline deadline);
  Result<HopRecord> receive_record(Bytes& content, Deadline deadline);

  [[nodiscard]] const Certificate& peer() const noexcept { return peer_; }
  /// When the certificate of one of both sides expires.
  [[nodiscard]] Deadline end() const noexcept { return end_; }
  /// Records sealed and opened at this end so far.
  [[nodiscard]] std::uint64_t sealed() const noexcept { return sealer_.count(); }
  [[nodiscard]] std::uint64_t opened() const noexcept { return opener_.count(); }

private:
  [[nodiscard]] Status check_life() const;

  Connection& carrier_;
  const Side side_;
  const Certificate peer_;
  const Deadline end_; // of the certificates
  HopSealer sealer_;   // of the sending thread, as outgoing_
  HopOpener opener_;   // of the receiving thread, as incoming_ and order_
  HopTaskOrder order_;
  Bytes outgoing_;
  Bytes incoming_;
  mutable std::mutex mutex_;
  HopTask task_{}; // guarded by mutex_
};

/// The caller's side of a handshake over `carrier`, which begins with the other side's Hello.
Result<std::unique_ptr<HopChannel>> open_hop(Connection& carrier, const HopIdentity& identity,
                                             std::initializer_list<Role> roles, std::int64_t now, Deadline deadline);

/// The other side, from the offer on. The peer is told why it is refused.
Result<std::unique_ptr<HopChannel>> accept_hop(Connection& carrier, const HopIdentity& identity, BytesView offer,
                                               std::initializer_list<Role> roles, std::int64_t now, Deadline deadline);

/// Sends a route and waits until the path is there. The names of the proxies on it, in order; the error of the proxy or
/// instance that refused.
Result<std::vector<std::string>> extend_path(Connection& hop, const HopRoute& route, Deadline deadline);

/// Answers a route: by the proxies on the path, or by the reason why there is none.
Status answer_route(Connection& hop, const Result<std::vector<std::string>>& proxies, Deadline deadline);

} // namespace tcfdl::wire
