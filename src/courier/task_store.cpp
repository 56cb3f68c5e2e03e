#include "courier/task_store.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

#include <array>
#include <fcntl.h>
#include <set>

namespace tcfdl::courier {
namespace {

using database::Row;

/// A task whose body is on its way in; nobody sees it.
constexpr std::int64_t kArriving = wire::TASK_STATE_UNSPECIFIED;
constexpr std::int64_t kMostListed = 2000;

constexpr std::string_view kTable =
    "CREATE TABLE IF NOT EXISTS tasks(number INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, id TEXT NOT NULL, "
    "state INTEGER NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL, on_behalf_of TEXT NOT NULL, caller_node TEXT NOT "
    "NULL, priority INTEGER NOT NULL, tag BLOB NOT NULL, function TEXT NOT NULL, sealed BLOB NOT NULL, body_size "
    "INTEGER NOT NULL, bytes INTEGER NOT NULL, files TEXT NOT NULL, submitted INTEGER NOT NULL, started INTEGER NOT "
    "NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0, expires INTEGER NOT NULL, instance TEXT NOT NULL DEFAULT '', "
    "node TEXT NOT NULL DEFAULT '', code INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '', run_us INTEGER "
    "NOT NULL DEFAULT 0, result_header BLOB NOT NULL DEFAULT x'', result_salt BLOB NOT NULL DEFAULT x'', "
    "UNIQUE(owner, id)) STRICT";

constexpr std::string_view kIndex = "CREATE INDEX IF NOT EXISTS tasks_by_end ON tasks(finished) WHERE state > 2";

constexpr std::string_view kCallbackTable =
    "CREATE TABLE IF NOT EXISTS callbacks(owner TEXT NOT NULL, id TEXT NOT NULL, url TEXT NOT NULL, attempts INTEGER "
    "NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(owner, id), FOREIGN KEY(owner, id) REFERENCES "
    "tasks(owner, id) ON DELETE CASCADE) STRICT";

constexpr std::string_view kGet =
    "SELECT id, function, state, code, message, submitted, started, finished, expires, instance, node, run_us, "
    "priority, result_header, result_salt, sealed FROM tasks WHERE owner = ? AND id = ? AND state != 0";
constexpr std::string_view kList =
    "SELECT id, function, state, code, message, submitted, started, finished, expires, instance, node, run_us, "
    "priority FROM tasks WHERE owner = ? AND state != 0 ORDER BY number DESC LIMIT ?";
constexpr std::string_view kJob = "SELECT name, key, on_behalf_of, caller_node, priority, sealed, body_size, files, "
                                  "instance, node FROM tasks WHERE owner = ? AND id = ? AND state IN (1, 2)";

std::string text_of(const Bytes& bytes) { return wire::field(bytes); }

/// Without the result.
wire::StoredTask summary_of(const Row& row) {
  wire::StoredTask task;
  task.set_task_id(row.text(0));
  task.set_function(row.text(1));
  task.set_state(static_cast<wire::TaskState>(row.integer(2)));
  task.set_code(static_cast<std::uint32_t>(row.integer(3)));
  task.set_message(row.text(4));
  task.set_submitted_ms(row.integer(5));
  task.set_started_ms(row.integer(6));
  task.set_finished_ms(row.integer(7));
  task.set_expires_ms(row.integer(8));
  task.set_instance(row.text(9));
  task.set_node(row.text(10));
  task.set_run_us(static_cast<std::uint64_t>(row.integer(11)));
  task.set_priority(static_cast<wire::Priority>(row.integer(12)));
  return task;
}

wire::StoredTask task_of(const Row& row) {
  auto task = summary_of(row);
  task.set_result_header(text_of(row.blob(13)));
  task.set_result_salt(text_of(row.blob(14)));
  wire::SealedTask sealed;
  const auto bytes = row.blob(15);
  if (task.result_header().empty() || !sealed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return task;
  if (!sealed.has_capsule()) return task;
  *task.mutable_own_capsule() = sealed.capsule();
  task.mutable_own_capsule()->set_ek2(sealed.own_ek2());
  return task;
}

bool has_ended(wire::TaskState state) { return state >= wire::TASK_STATE_SUCCEEDED; }

Error no_such_task(const std::string& id) { return make_error(Code::kNotFound, "there is no task {}", id); }

void remove_file(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::remove(path, failure);
  if (failure) spdlog::warn("cannot delete {}: {}", path.string(), failure.message());
}

std::string mebibytes(std::int64_t bytes) { return fmt::format("{} MiB", bytes >> 20); }

} // namespace

std::string Owner::id() const { return (is_gateway ? "gateway" : to_hex(as_bytes(key))) + '/' + on_behalf_of; }

End End::of(wire::TaskState state, const Error& error) {
  End end;
  end.state = state;
  end.code = static_cast<std::uint32_t>(error.code());
  end.message = error.message();
  return end;
}

Result<std::unique_ptr<TaskStore>> TaskStore::open(database::Database& database, StoreSettings settings,
                                                   UnixMillis now) {
  TCFDL_TRY(make_private_directory(settings.directory));
  TCFDL_TRY(database.migrate("tasks", std::array{kTable, kIndex, kCallbackTable}));
  TCFDL_TRY(database.execute("DELETE FROM tasks WHERE state = ?", {kArriving}));
  std::unique_ptr<TaskStore> store(new TaskStore(database, std::move(settings), std::move(now)));
  TCFDL_TRY(store->remove_strays());
  return store;
}

std::filesystem::path TaskStore::body_of(const std::string& files) const {
  return settings_.directory / (files + ".body");
}

std::filesystem::path TaskStore::result_of(const std::string& files) const {
  return settings_.directory / (files + ".result");
}

/// What a crash left: bodies of tasks that ended, parts of results, files without a task.
Status TaskStore::remove_strays() {
  std::set<std::filesystem::path> wanted;
  TCFDL_TRY(database_.query("SELECT files, state FROM tasks", {}, [&](const Row& row) -> Status {
    const bool over = has_ended(static_cast<wire::TaskState>(row.integer(1)));
    wanted.insert(over ? result_of(row.text(0)) : body_of(row.text(0)));
    return {};
  }));
  std::error_code failure;
  std::vector<std::filesystem::path> strays;
  for (const auto& file : std::filesystem::directory_iterator(settings_.directory, failure)) {
    if (!wanted.contains(file.path())) strays.push_back(file.path());
  }
  for (const auto& path : strays) remove_file(path);
  return {};
}

Result<std::variant<wire::StoredTask, TaskStore::Upload>>
TaskStore::begin(const Owner& owner, const wire::SubmitTask& task, const wire::SealedHeader& header) {
  OpenTask open;
  open.ref = {owner.id(), header.task_id()};
  open.priority = task.priority();
  open.expires_ms = header.expires_ms();
  const auto files = make_uuid();
  std::optional<wire::StoredTask> earlier;
  const auto reserve = [&]() -> Status {
    TCFDL_ASSIGN(earlier, known(open.ref, task.body_tag()));
    if (earlier) return {};
    TCFDL_TRY(check_quota(open.ref.owner, static_cast<std::int64_t>(task.body_size())));
    return insert(owner, task, header, files, open);
  };
  TCFDL_TRY(database_.transaction(reserve));
  using Begun = std::variant<wire::StoredTask, Upload>;
  if (earlier) return Begun(*std::move(earlier));
  UniqueFd file(::open(body_of(files).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivateFile));
  const bool opened = file.valid();
  Upload upload(*this, std::move(open), files, static_cast<std::int64_t>(task.body_size()), std::move(file));
  if (!opened) return errno_error("cannot create", body_of(files));
  return Begun(std::move(upload));
}

/// The task that has the id already, if its body is the same.
Result<std::optional<wire::StoredTask>> TaskStore::known(const TaskRef& ref, const std::string& tag) {
  struct Known {
    std::int64_t state;
    std::string tag;
  };
  TCFDL_ASSIGN(const auto found,
               database_.query_one("SELECT state, tag FROM tasks WHERE owner = ? AND id = ?", {ref.owner, ref.id},
                                   [](const Row& row) { return Known{row.integer(0), text_of(row.blob(1))}; }));
  if (!found) return std::optional<wire::StoredTask>();
  if (found->tag != tag) {
    return make_error(Code::kAlreadyExists, "task {} was submitted before with another body; use a new task id",
                      ref.id);
  }
  if (found->state == kArriving) {
    return make_error(Code::kAborted, "task {} is being submitted right now; try again", ref.id);
  }
  TCFDL_ASSIGN(auto task, get(ref));
  return std::optional(std::move(task));
}

Status TaskStore::check_quota(const std::string& owner, std::int64_t size) {
  struct Used {
    std::int64_t tasks;
    std::int64_t bytes;
  };
  const auto read = [](const Row& row) { return Used{row.integer(0), row.integer(1)}; };
  TCFDL_ASSIGN(const auto own,
               database_.query_one("SELECT count(*), total(bytes) FROM tasks WHERE owner = ?", {owner}, read));
  TCFDL_ASSIGN(const auto all, database_.query_one("SELECT count(*), total(bytes) FROM tasks", {}, read));
  if (own && own->tasks >= settings_.most_tasks_each) {
    return make_error(Code::kResourceExhausted,
                      "the caller has {} stored tasks, which is its quota; they go {} h after their end", own->tasks,
                      std::chrono::duration_cast<std::chrono::hours>(settings_.retention).count());
  }
  if (own && own->bytes + size > settings_.most_bytes_each) {
    return make_error(Code::kResourceExhausted, "the caller's quota for stored tasks is {}, of which {} are used",
                      mebibytes(settings_.most_bytes_each), mebibytes(own->bytes));
  }
  if (all && all->bytes + size > settings_.most_bytes) {
    return make_error(Code::kResourceExhausted, "the cluster's quota for stored tasks is {}, of which {} are used",
                      mebibytes(settings_.most_bytes), mebibytes(all->bytes));
  }
  return {};
}

Status TaskStore::insert(const Owner& owner, const wire::SubmitTask& task, const wire::SealedHeader& header,
                         const std::string& files, OpenTask& open) {
  const auto size = static_cast<std::int64_t>(task.body_size());
  TCFDL_TRY(database_.execute(
      "INSERT INTO tasks(owner, id, state, name, key, on_behalf_of, caller_node, priority, tag, function, sealed, "
      "body_size, bytes, files, submitted, expires) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {open.ref.owner, open.ref.id, kArriving, owner.name, to_bytes(owner.key), owner.on_behalf_of, owner.node,
       std::int64_t{task.priority()}, to_bytes(task.body_tag()), header.function(), wire::serialize(task.task()), size,
       size, files, now_(), header.expires_ms()}));
  TCFDL_ASSIGN(const auto number,
               database_.query_one("SELECT last_insert_rowid()", {}, [](const Row& row) { return row.integer(0); }));
  open.number = number.value_or(0);
  if (task.callback().empty()) return {};
  TCFDL_TRY(database_.execute("INSERT INTO callbacks(owner, id, url) VALUES(?, ?, ?)",
                              {open.ref.owner, open.ref.id, task.callback()}));
  return {};
}

TaskStore::Upload::~Upload() {
  if (store_ == nullptr) return;
  const auto forgotten = store_->forget(task_.ref, files_);
  if (!forgotten) spdlog::warn("a task that was not submitted to its end is kept: {}", forgotten.error().message());
}

Status TaskStore::Upload::write(BytesView piece) {
  left_ -= static_cast<std::int64_t>(piece.size());
  if (left_ < 0) return Error(Code::kInvalidArgument, "the body is longer than was announced");
  return write_all(file_.get(), piece);
}

Result<OpenTask> TaskStore::Upload::commit() {
  if (left_ != 0) return Error(Code::kInvalidArgument, "the body is shorter than was announced");
  if (::fsync(file_.get()) != 0) return errno_error("cannot sync", store_->body_of(files_));
  TCFDL_TRY(sync_directory(store_->settings_.directory));
  TCFDL_TRY(store_->database_.execute("UPDATE tasks SET state = 1 WHERE owner = ? AND id = ?",
                                      {task_.ref.owner, task_.ref.id}));
  store_ = nullptr;
  return task_;
}

Result<wire::StoredTask> TaskStore::get(const TaskRef& ref) {
  TCFDL_ASSIGN(auto found, database_.query_one(kGet, {ref.owner, ref.id}, task_of));
  if (!found) return no_such_task(ref.id);
  return *std::move(found);
}

Result<wire::StoredTask> TaskStore::wait(const TaskRef& ref, Deadline deadline, const std::stop_token& stop) {
  bool over = false;
  std::unique_lock lock(mutex_);
  const auto waiter = waiters_.emplace(ref, &over);
  lock.unlock();
  auto task = get(ref); // after its entry, so that no end is missed
  lock.lock();
  if (task && !has_ended(task->state())) {
    ended_.wait_until(lock, stop, deadline.when(), [&] { return over || closed_; });
  }
  waiters_.erase(waiter);
  lock.unlock();
  return over ? get(ref) : task;
}

void TaskStore::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  ended_.notify_all();
}

Result<wire::StoredTasks> TaskStore::list(const std::string& owner) {
  wire::StoredTasks tasks;
  TCFDL_TRY(database_.query(kList, {owner, kMostListed}, [&](const Row& row) -> Status {
    *tasks.add_tasks() = summary_of(row);
    return {};
  }));
  while (tasks.ByteSizeLong() > wire::kMaxFrame / 2) {
    const auto half = tasks.tasks_size() / 2;
    tasks.mutable_tasks()->DeleteSubrange(half, tasks.tasks_size() - half);
  }
  return tasks;
}

Result<UniqueFd> TaskStore::open_result(const TaskRef& ref) {
  TCFDL_ASSIGN(const auto files,
               database_.query_one("SELECT files FROM tasks WHERE owner = ? AND id = ? AND result_header != x''",
                                   {ref.owner, ref.id}, [](const Row& row) { return row.text(0); }));
  if (!files) return make_error(Code::kNotFound, "there is no result of task {}", ref.id);
  UniqueFd file(::open(result_of(*files).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno_error("cannot open", result_of(*files));
  return file;
}

Result<std::vector<OpenTask>> TaskStore::unfinished() {
  std::vector<OpenTask> tasks;
  TCFDL_TRY(database_.query("SELECT owner, id, number, priority, expires, state FROM tasks WHERE state IN (1, 2)", {},
                            [&](const Row& row) -> Status {
                              tasks.push_back({{row.text(0), row.text(1)},
                                               row.integer(2),
                                               static_cast<wire::Priority>(row.integer(3)),
                                               row.integer(4),
                                               row.integer(5) == wire::TASK_STATE_RUNNING});
                              return {};
                            }));
  return tasks;
}

Result<Job> TaskStore::job(const TaskRef& ref) {
  Bytes sealed;
  TCFDL_ASSIGN(auto found, database_.query_one(kJob, {ref.owner, ref.id}, [&](const Row& row) {
    Job job;
    job.ref = ref;
    job.owner.name = row.text(0);
    job.owner.key = text_of(row.blob(1));
    job.owner.on_behalf_of = row.text(2);
    job.owner.node = row.text(3);
    job.priority = static_cast<wire::Priority>(row.integer(4));
    sealed = row.blob(5);
    job.body_size = row.integer(6);
    job.body = body_of(row.text(7));
    job.result = result_of(row.text(7));
    job.largest_result = settings_.most_bytes_each;
    job.instance = row.text(8);
    job.node = row.text(9);
    return job;
  }));
  if (!found) return no_such_task(ref.id);
  TCFDL_ASSIGN(found->sealed, wire::parse<wire::SealedTask>(sealed));
  TCFDL_ASSIGN(found->header, wire::parse<wire::SealedHeader>(found->sealed.header()));
  return *std::move(found);
}

Status TaskStore::set_running(const TaskRef& ref, const std::string& instance, const std::string& node) {
  TCFDL_TRY(database_.execute(
      "UPDATE tasks SET state = 2, instance = ?, node = ?, started = iif(started = 0, ?, started) WHERE "
      "owner = ? AND id = ? AND state IN (1, 2)",
      {instance, node, now_(), ref.owner, ref.id}));
  return {};
}

Status TaskStore::set_waiting(const TaskRef& ref) {
  TCFDL_TRY(database_.execute("UPDATE tasks SET state = 1, instance = '', node = '', started = 0 WHERE owner = ? AND "
                              "id = ? AND state IN (1, 2)",
                              {ref.owner, ref.id}));
  return {};
}

Status TaskStore::end(const TaskRef& ref, const End& end) {
  std::optional<std::string> files;
  TCFDL_TRY(database_.transaction([&]() -> Status {
    TCFDL_ASSIGN(files, database_.query_one("SELECT files FROM tasks WHERE owner = ? AND id = ? AND state IN (1, 2)",
                                            {ref.owner, ref.id}, [](const Row& row) { return row.text(0); }));
    if (!files) return {};
    return record_end(ref, end);
  }));
  if (!files) return {};
  remove_file(body_of(*files));
  if (end.result_header.empty()) remove_file(result_of(*files));
  tell_ended(ref);
  return {};
}

Status TaskStore::record_end(const TaskRef& ref, const End& end) {
  // The body's room is free now, and the result's is needed.
  TCFDL_TRY(database_.execute("UPDATE tasks SET bytes = 0 WHERE owner = ? AND id = ?", {ref.owner, ref.id}));
  TCFDL_TRY(make_room(ref.owner, end.result_size));
  TCFDL_TRY(database_.execute("UPDATE tasks SET state = ?, code = ?, message = ?, run_us = ?, result_header = ?, "
                              "result_salt = ?, bytes = ?, finished = ? WHERE owner = ? AND id = ?",
                              {std::int64_t{end.state}, std::int64_t{end.code}, end.message,
                               static_cast<std::int64_t>(end.run_us), to_bytes(end.result_header),
                               to_bytes(end.result_salt), end.result_size, now_(), ref.owner, ref.id}));
  return {};
}

/// Results are taken in: what ended longest ago goes, of the same submitter first.
Status TaskStore::make_room(const std::string& owner, std::int64_t size) {
  const auto used = [&](std::string_view sql, std::initializer_list<database::Value> values) {
    return database_.query_one(sql, values, [](const Row& row) { return row.integer(0); });
  };
  for (;;) {
    TCFDL_ASSIGN(const auto own, used("SELECT total(bytes) FROM tasks WHERE owner = ?", {owner}));
    TCFDL_ASSIGN(const auto all, used("SELECT total(bytes) FROM tasks", {}));
    const bool too_much_of_it = own.value_or(0) + size > settings_.most_bytes_each;
    if (!too_much_of_it && all.value_or(0) + size <= settings_.most_bytes) return {};
    constexpr std::string_view kOwn = "SELECT owner, id, files FROM tasks WHERE state > 2 AND bytes > 0 AND owner = ? "
                                      "ORDER BY finished LIMIT 1";
    constexpr std::string_view kAny = "SELECT owner, id, files FROM tasks WHERE state > 2 AND bytes > 0 ORDER BY "
                                      "owner != ?, finished LIMIT 1";
    TCFDL_TRY(forget_oldest(too_much_of_it ? kOwn : kAny, owner));
  }
}

Status TaskStore::forget_oldest(std::string_view which, const std::string& owner) {
  struct Old {
    TaskRef ref;
    std::string files;
  };
  TCFDL_ASSIGN(const auto old, database_.query_one(which, {owner}, [](const Row& row) {
    return Old{{row.text(0), row.text(1)}, row.text(2)};
  }));
  if (!old) return Error(Code::kResourceExhausted, "the quota for stored tasks has no room for the result");
  return forget(old->ref, old->files);
}

Status TaskStore::forget(const TaskRef& ref, const std::string& files) {
  TCFDL_TRY(database_.execute("DELETE FROM tasks WHERE owner = ? AND id = ?", {ref.owner, ref.id}));
  remove_file(body_of(files));
  remove_file(result_of(files));
  return {};
}

Result<std::vector<DueCallback>> TaskStore::due_callbacks() {
  std::vector<DueCallback> due;
  TCFDL_TRY(
      database_.query("SELECT owner, id, url, attempts FROM callbacks JOIN tasks USING(owner, id) WHERE state > 2 "
                      "AND due <= ? ORDER BY due LIMIT 100",
                      {now_()}, [&](const Row& row) -> Status {
                        due.push_back({{row.text(0), row.text(1)}, row.text(2), row.integer(3)});
                        return {};
                      }));
  return due;
}

Status TaskStore::put_callback_off(const TaskRef& ref, std::chrono::milliseconds pause) {
  TCFDL_TRY(database_.execute("UPDATE callbacks SET attempts = attempts + 1, due = ? WHERE owner = ? AND id = ?",
                              {now_() + pause.count(), ref.owner, ref.id}));
  return {};
}

Status TaskStore::remove_callback(const TaskRef& ref) {
  TCFDL_TRY(database_.execute("DELETE FROM callbacks WHERE owner = ? AND id = ?", {ref.owner, ref.id}));
  return {};
}

Status TaskStore::prune() {
  const auto before = now_() - std::chrono::duration_cast<std::chrono::milliseconds>(settings_.retention).count();
  std::vector<std::pair<TaskRef, std::string>> old;
  TCFDL_TRY(database_.query("SELECT owner, id, files FROM tasks WHERE state > 2 AND finished < ? LIMIT 1000", {before},
                            [&](const Row& row) -> Status {
                              old.push_back({{row.text(0), row.text(1)}, row.text(2)});
                              return {};
                            }));
  for (const auto& [ref, files] : old) TCFDL_TRY(forget(ref, files));
  return {};
}

void TaskStore::tell_ended(const TaskRef& ref) {
  const std::scoped_lock lock(mutex_);
  const auto [first, last] = waiters_.equal_range(ref);
  for (auto at = first; at != last; ++at) *at->second = true;
  ended_.notify_all();
}

} // namespace tcfdl::courier
