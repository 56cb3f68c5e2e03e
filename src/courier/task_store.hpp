// Asynchronous tasks on disk: rows in the database, sealed bodies and results in files.
#pragma once

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "database/sqlite.hpp"
#include "wire/messages.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <variant>

namespace tcfdl::courier {

struct StoreSettings {
  std::filesystem::path directory; ///< of bodies and results; made if missing, for the owner only
  std::int64_t most_bytes_each = std::int64_t{256} << 20U; ///< of one submitter, bodies and results together
  std::int64_t most_bytes = std::int64_t{4} << 30U;        ///< of all
  std::int64_t most_tasks_each = 10'000;                   ///< of one submitter, those that ended included
  std::chrono::seconds retention = std::chrono::hours(24); ///< of what ended
};

/// Unix milliseconds, UTC.
using UnixMillis = std::function<std::int64_t()>;

/// Whose task it is.
struct Owner {
  std::string name;         ///< as whom it waits
  std::string key;          ///< that it has proven
  std::string on_behalf_of; ///< of a gateway: the client that calls over HTTP
  std::string node;         ///< where an instance or gateway runs
  bool is_gateway = false;  ///< one of the cluster's, whose processes have a key each and share what they submit

  /// In the store.
  [[nodiscard]] std::string id() const;
};

/// A task in the store.
struct TaskRef {
  std::string owner; ///< as `Owner::id`
  std::string id;

  friend auto operator<=>(const TaskRef&, const TaskRef&) = default;
};

/// One that has not ended.
struct OpenTask {
  TaskRef ref;
  std::int64_t number = 0; ///< in the order of submission
  wire::Priority priority = wire::PRIORITY_NORMAL;
  std::int64_t expires_ms = 0;
  bool running = false;
};

/// All that a delivery needs.
struct Job {
  TaskRef ref;
  Owner owner;
  wire::SealedTask sealed;
  wire::SealedHeader header; ///< of `sealed`
  wire::Priority priority = wire::PRIORITY_NORMAL;
  std::int64_t body_size = 0;
  std::filesystem::path body;
  std::filesystem::path result;
  std::int64_t largest_result = 0;
  std::string instance; ///< where it may have begun; empty: nowhere
  std::string node;
};

/// How a task ended.
struct End {
  wire::TaskState state = wire::TASK_STATE_FAILED;
  std::uint32_t code = 0;
  std::string message;
  std::uint64_t run_us = 0;
  std::string result_header; ///< empty: there is no result in `Job::result`
  std::string result_salt;
  std::int64_t result_size = 0;

  static End of(wire::TaskState state, const Error& error);
};

/// Somebody to be told of a task that has ended.
struct DueCallback {
  TaskRef ref;
  std::string url;
  std::int64_t attempts = 0; ///< that failed
};

/// Thread-safe; the database outlives it.
class TaskStore {
public:
  /// Forgets what was being submitted when the last process ended, and files that belong to no task.
  static Result<std::unique_ptr<TaskStore>> open(database::Database& database, StoreSettings settings, UnixMillis now);

  /// A body on its way in. Dropped with its task unless it is committed.
  class Upload {
  public:
    Upload(TaskStore& store, OpenTask task, std::string files, std::int64_t size, UniqueFd file)
        : store_(&store), task_(std::move(task)), files_(std::move(files)), left_(size), file_(std::move(file)) {}
    Upload(Upload&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)), task_(std::move(other.task_)), files_(std::move(other.files_)),
          left_(other.left_), file_(std::move(other.file_)) {}
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    Upload& operator=(Upload&&) = delete;
    ~Upload();

    /// INVALID_ARGUMENT beyond the size that was announced.
    Status write(BytesView piece);
    /// The task waits from now on, also after a crash. INVALID_ARGUMENT for less than was announced.
    Result<OpenTask> commit();

  private:
    TaskStore* store_;
    OpenTask task_;
    std::string files_;
    std::int64_t left_;
    UniqueFd file_;
  };

  /// Makes room for a task whose request was checked, or gives the one that has the id and the same body.
  /// ALREADY_EXISTS for another body, ABORTED while the same is being submitted, RESOURCE_EXHAUSTED names the quota.
  Result<std::variant<wire::StoredTask, Upload>> begin(const Owner& owner, const wire::SubmitTask& task,
                                                       const wire::SealedHeader& header);

  /// NOT_FOUND for what is not there, or not there for that owner.
  Result<wire::StoredTask> get(const TaskRef& ref);
  /// The same after its end, or when the deadline passed or `stop` was requested.
  Result<wire::StoredTask> wait(const TaskRef& ref, Deadline deadline, const std::stop_token& stop);
  /// Has all waits return, those to come as well.
  void close();
  /// Newest first; at most so many as fit into a message.
  Result<wire::StoredTasks> list(const std::string& owner);
  /// The sealed result.
  Result<UniqueFd> open_result(const TaskRef& ref);

  // Of the courier.
  Result<std::vector<OpenTask>> unfinished();
  Result<Job> job(const TaskRef& ref);
  Status set_running(const TaskRef& ref, const std::string& instance, const std::string& node);
  Status set_waiting(const TaskRef& ref);
  /// Does nothing for a task that has ended.
  Status end(const TaskRef& ref, const End& end);
  /// The first 100 whose time has come.
  Result<std::vector<DueCallback>> due_callbacks();
  Status put_callback_off(const TaskRef& ref, std::chrono::milliseconds pause);
  Status remove_callback(const TaskRef& ref);
  /// Forgets what ended before the retention.
  Status prune();

private:
  TaskStore(database::Database& database, StoreSettings settings, UnixMillis now)
      : database_(database), settings_(std::move(settings)), now_(std::move(now)) {}
  [[nodiscard]] std::filesystem::path body_of(const std::string& files) const;
  [[nodiscard]] std::filesystem::path result_of(const std::string& files) const;
  Status remove_strays();
  Result<std::optional<wire::StoredTask>> known(const TaskRef& ref, const std::string& tag);
  Status check_quota(const std::string& owner, std::int64_t size);
  Status insert(const Owner& owner, const wire::SubmitTask& task, const wire::SealedHeader& header,
                const std::string& files, OpenTask& open);
  Status make_room(const std::string& owner, std::int64_t size);
  Status forget_oldest(std::string_view which, const std::string& owner);
  Status forget(const TaskRef& ref, const std::string& files);
  Status record_end(const TaskRef& ref, const End& end);
  void tell_ended(const TaskRef& ref);

  database::Database& database_;
  const StoreSettings settings_;
  const UnixMillis now_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::multimap<TaskRef, bool*> waiters_; // guarded by mutex_, as is what they point to
  bool closed_ = false;                   // guarded by mutex_
};

} // namespace tcfdl::courier
