#include "node/cron_triggers.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/rfc3339.hpp"
#include "crypto/hash.hpp"

namespace tcfdl::node {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::int64_t kLongestRun = 9 * 60; // seconds, waiting included
/// A run that was due before is not made up for.
constexpr std::int64_t kOldestMissed = 3600; // seconds

/// The same for the same run, so that it is submitted once also when the master crashes in between.
std::string task_id_of(const std::string& function, const std::string& expression, std::int64_t due) {
  auto hex = to_hex(crypto::sha256(as_bytes(fmt::format("cron\n{}\n{}\n{}", function, expression, due))));
  hex[12] = '8'; // a UUID of the version that is the maker's own
  hex[16] = '8';
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

} // namespace

Result<std::unique_ptr<CronTriggers>> CronTriggers::open(database::Database& database,
                                                         function_manager::FunctionManager& functions,
                                                         AsyncTasks& tasks, std::string cluster, std::string master_key,
                                                         const Clock& clock) {
  TCFDL_TRY(database.execute("CREATE TABLE IF NOT EXISTS cron(function TEXT NOT NULL, expression TEXT NOT NULL, last "
                             "INTEGER NOT NULL, PRIMARY KEY(function, expression)) STRICT"));
  return std::unique_ptr<CronTriggers>(
      new CronTriggers(database, functions, tasks, std::move(cluster), std::move(master_key), clock));
}

void CronTriggers::start() {
  if (!keeper_.joinable()) keeper_ = std::thread([this] { keep(); });
}

void CronTriggers::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (keeper_.joinable()) keeper_.join();
}

void CronTriggers::keep() {
  for (;;) {
    if (const auto done = run_due(); !done) spdlog::warn("cron: {}", done.error().to_string());
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, kLookEvery, [this] { return stopping_; })) return;
  }
}

Status CronTriggers::run_due() {
  TCFDL_ASSIGN(const auto functions, functions_.list());
  for (const auto& function : functions) {
    for (const auto& expression : function.descriptor.cron()) {
      const auto done = run_due(function.descriptor, expression);
      if (!done) spdlog::warn("cron: {} '{}': {}", function.descriptor.name(), expression, done.error().to_string());
    }
  }
  return {};
}

/// What was missed meanwhile is one run, for the latest time.
Status CronTriggers::run_due(const wire::Descriptor& function, const std::string& expression) {
  const auto now = clock_.now();
  TCFDL_ASSIGN(const auto schedule, Schedule::parse(expression));
  TCFDL_ASSIGN(const auto last, last_of(function.name(), expression));
  if (!last) return remember(function.name(), expression, now); // it begins now
  auto due = schedule.next(*last);
  if (due > now) return {};
  std::uint64_t missed = 0;
  for (auto later = schedule.next(due); later <= now; later = schedule.next(later), ++missed) due = later;
  if (missed > 0) spdlog::warn("cron: {} '{}' was missed {} times", function.name(), expression, missed);
  if (due >= now - kOldestMissed) TCFDL_TRY(submit(function, expression, due));
  return remember(function.name(), expression, due);
}

Status CronTriggers::submit(const wire::Descriptor& function, const std::string& expression, std::int64_t due) {
  const nlohmann::json body{{"cron", expression}, {"due", to_rfc3339(due)}};
  const auto text = body.dump();
  wire::SealedHeader header;
  header.set_task_id(task_id_of(function.name(), expression, due));
  header.set_function(function.name());
  TCFDL_ASSIGN(const auto offer, tasks_.describe(function.name()));
  header.set_assurance(offer.assurance());
  header.set_sender("cron");
  header.set_expires_ms((clock_.now() + kLongestRun) * 1000);
  header.set_content_type("application/json");
  header.set_protection("none");
  header.set_courier(cluster_);
  wire::SubmitTask task;
  task.mutable_task()->set_header(header.SerializeAsString());
  task.set_body_size(text.size());
  task.set_body_tag(wire::field(crypto::sha256(as_bytes(text))));
  return tasks_.submit_own({"cron", master_key_, "", ""}, task, header, as_bytes(text));
}

Result<std::optional<std::int64_t>> CronTriggers::last_of(const std::string& function, const std::string& expression) {
  return database_.query_one("SELECT last FROM cron WHERE function = ? AND expression = ?", {function, expression},
                             [](const database::Row& row) { return row.integer(0); });
}

Status CronTriggers::remember(const std::string& function, const std::string& expression, std::int64_t last) {
  TCFDL_TRY(database_.execute("INSERT OR REPLACE INTO cron(function, expression, last) VALUES(?, ?, ?)",
                              {function, expression, last}));
  return {};
}

Result<std::vector<CronEntry>> CronTriggers::entries(const wire::Descriptor& function) {
  std::vector<CronEntry> entries;
  for (const auto& expression : function.cron()) {
    TCFDL_ASSIGN(const auto schedule, Schedule::parse(expression));
    TCFDL_ASSIGN(const auto last, last_of(function.name(), expression));
    entries.push_back({expression, last.value_or(0), schedule.next(last.value_or(clock_.now()))});
  }
  return entries;
}

} // namespace tcfdl::node
