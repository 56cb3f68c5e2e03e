// Functions that run by themselves at times that their owners signed. docs/formats/cron.md.
#pragma once

#include "base/schedule.hpp"
#include "function_manager/function_manager.hpp"
#include "node/async_tasks.hpp"

#include <condition_variable>
#include <thread>

namespace tcfdl::node {

/// One line of a function's `cron`. Times are Unix seconds.
struct CronEntry {
  std::string expression;
  std::int64_t last = 0; ///< when it was due last, and run; 0: not yet
  std::int64_t next = 0;
};

/// Thread-safe; what it needs outlives it. `start` and `stop` from one thread.
class CronTriggers {
public:
  static Result<std::unique_ptr<CronTriggers>> open(database::Database& database,
                                                    function_manager::FunctionManager& functions, AsyncTasks& tasks,
                                                    std::string cluster, std::string master_key, const Clock& clock);
  CronTriggers(const CronTriggers&) = delete;
  CronTriggers& operator=(const CronTriggers&) = delete;
  ~CronTriggers() { stop(); }

  void start();
  void stop() noexcept;
  /// Of a function, in the order of its file.
  Result<std::vector<CronEntry>> entries(const wire::Descriptor& function);

  /// Submits what is due at `clock`'s now, and remembers it.
  Status run_due();

private:
  CronTriggers(database::Database& database, function_manager::FunctionManager& functions, AsyncTasks& tasks,
               std::string cluster, std::string master_key, const Clock& clock)
      : database_(database), functions_(functions), tasks_(tasks), cluster_(std::move(cluster)),
        master_key_(std::move(master_key)), clock_(clock) {}
  void keep();
  Status run_due(const wire::Descriptor& function, const std::string& expression);
  Status submit(const wire::Descriptor& function, const std::string& expression, std::int64_t due);
  Result<std::optional<std::int64_t>> last_of(const std::string& function, const std::string& expression);
  Status remember(const std::string& function, const std::string& expression, std::int64_t last);

  database::Database& database_;
  function_manager::FunctionManager& functions_;
  AsyncTasks& tasks_;
  const std::string cluster_;
  const std::string master_key_;
  const Clock& clock_;
  std::thread keeper_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false; // guarded by mutex_
};

} // namespace tcfdl::node
