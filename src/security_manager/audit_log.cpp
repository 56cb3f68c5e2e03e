#include "security_manager/audit_log.hpp"

#include "base/log.hpp"

#include <array>

namespace tcfdl::security_manager {
namespace {

constexpr std::size_t kLongestText = 512;

/// At most so much of what a peer chose is kept.
std::string bounded(const std::string& text) { return text.substr(0, kLongestText); }

AuditRecord record_of(const database::Row& row) {
  return {
      row.integer(0), row.integer(1),
      AuditEvent{row.text(2), row.text(3), row.text(4), row.text(5), row.text(6), row.integer(7) != 0, row.text(8)}};
}

} // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::open(database::Database& database, const Clock& clock,
                                                 AuditSettings settings) {
  constexpr std::string_view kTable =
      "CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, who TEXT NOT "
      "NULL, role TEXT NOT NULL, peer TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, allowed INTEGER NOT "
      "NULL, outcome TEXT NOT NULL) STRICT";
  TCFDL_TRY(database.migrate("audit", std::array{kTable}));
  return std::unique_ptr<AuditLog>(new AuditLog(database, clock, settings));
}

void AuditLog::add(AuditEvent event) {
  const auto time = clock_.now();
  const auto shared = std::make_shared<const AuditEvent>(std::move(event));
  WorkerPool::Job job = [this, time, shared] { write(time, *shared); };
  if (!writer_.post(job)) write(time, *shared);
}

/// A few of the oldest at a time, so that nobody waits for it.
Status AuditLog::prune(UnixSeconds now) {
  constexpr std::int64_t kAtOnce = 100;
  TCFDL_TRY(database_.execute("DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?1 AND number IN "
                              "(SELECT number FROM audit ORDER BY number LIMIT ?2)",
                              {settings_.most_records, kAtOnce}));
  TCFDL_TRY(database_.execute("DELETE FROM audit WHERE number IN (SELECT number FROM (SELECT number, time FROM audit "
                              "ORDER BY number LIMIT ?1) WHERE time < ?2)",
                              {kAtOnce, now - settings_.retention.count()}));
  return {};
}

void AuditLog::write(UnixSeconds time, const AuditEvent& event) {
  const auto insert = [&]() -> Status {
    TCFDL_TRY(database_.execute("INSERT INTO audit (time, who, role, peer, action, object, allowed, outcome) VALUES "
                                "(?, ?, ?, ?, ?, ?, ?, ?)",
                                {time, event.who, event.role, bounded(event.from), bounded(event.action),
                                 bounded(event.object), std::int64_t{event.allowed}, event.outcome}));
    return prune(time);
  };
  const auto written = database_.transaction(insert);
  if (!written)
    spdlog::error("audit log: {} {} of '{}' is not recorded: {}", event.action, event.object, event.who,
                  written.error().message());
}

Result<std::vector<AuditRecord>> AuditLog::newest(std::int64_t limit) const {
  std::vector<AuditRecord> records;
  const auto add = [&](const database::Row& row) -> Status {
    records.push_back(record_of(row));
    return {};
  };
  TCFDL_TRY(
      database_.query("SELECT number, time, who, role, peer, action, object, allowed, outcome FROM audit ORDER BY "
                      "number DESC LIMIT ?",
                      {limit}, add));
  return records;
}

} // namespace tcfdl::security_manager
