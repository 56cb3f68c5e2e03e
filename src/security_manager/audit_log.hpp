// Who did what to which, and whether it was allowed.
#pragma once

#include "base/clock.hpp"
#include "base/worker_pool.hpp"
#include "database/sqlite.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tcfdl::security_manager {

struct AuditEvent {
  std::string who;    ///< empty: nobody who is known
  std::string role;   ///< empty as `who`
  std::string from;   ///< address of the peer
  std::string action; ///< a verb, as POST
  std::string object; ///< what it was done to, as /v1/functions
  bool allowed = false;
  std::string outcome; ///< as the caller was told, for example an HTTP status
};

struct AuditRecord {
  std::int64_t number = 0; ///< grows by one a record
  UnixSeconds time = 0;
  AuditEvent event;
};

/// What is kept: a record goes with the first bound that it passes.
struct AuditSettings {
  std::int64_t most_records = 100'000;
  std::chrono::seconds retention = std::chrono::hours(24 * 365);
};

/// Thread-safe. Records are written in order by a thread of its own, within milliseconds; when it lags far behind,
/// whoever adds one waits. The database outlives it. Old records go as new ones come.
class AuditLog {
public:
  static Result<std::unique_ptr<AuditLog>> open(database::Database& database, const Clock& clock,
                                                AuditSettings settings = {});

  void add(AuditEvent event);

  /// The newest `limit` records, newest first.
  Result<std::vector<AuditRecord>> newest(std::int64_t limit) const;

  /// Writes what waits. Idempotent.
  void stop() noexcept { writer_.stop(); }

private:
  AuditLog(database::Database& database, const Clock& clock, AuditSettings settings)
      : database_(database), clock_(clock), settings_(settings) {}
  Status prune(UnixSeconds now);
  void write(UnixSeconds time, const AuditEvent& event);

  static constexpr std::size_t kMostWaiting = 4096;

  database::Database& database_;
  const Clock& clock_;
  const AuditSettings settings_;
  WorkerPool writer_{1, kMostWaiting, WorkerPool::AtStop::kRun};
};

} // namespace tcfdl::security_manager
