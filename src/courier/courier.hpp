// Takes stored tasks to instances, a bounded number at a time.
#pragma once

#include "courier/delivery.hpp"

#include <set>
#include <thread>

namespace tcfdl::courier {

struct CourierSettings {
  unsigned threads = 32;                            ///< tasks on their way
  unsigned most_each = 24;                          ///< of one submitter, so that others find a thread
  std::chrono::milliseconds known_within{20'000};   ///< instances of before a restart have reported by then
  std::chrono::milliseconds look_after_every{1000}; ///< for what expired and what is to be pruned
};

/// Thread-safe. `stop` is final; what is on its way stays so for the next process.
class Courier {
public:
  Courier(CourierSettings settings, TaskStore& store, Leases& leases, Instances& instances, UnixMillis now);
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;
  ~Courier() { stop(); }

  /// Takes up what an earlier process left. Errors of the store.
  Status start();
  void stop() noexcept;

  /// A task that was committed.
  void enqueue(const OpenTask& task);
  /// Ends a task: one that waits does not start, one that runs is told. The task as it is then; NOT_FOUND.
  Result<wire::StoredTask> cancel(const TaskRef& ref);

private:
  using Rank = std::tuple<int, std::int64_t>; // the smaller first: what began, then by priority and number
  struct Backlog {
    std::map<Rank, OpenTask> waiting;
    unsigned at_work = 0;
  };

  void work();
  std::optional<OpenTask> take();
  void deliver(const OpenTask& task, Interruption& interruption);
  void put_back(const TaskRef& ref);
  void look_after();
  std::vector<OpenTask> take_expired();
  bool take_back(const TaskRef& ref);

  const CourierSettings settings_;
  TaskStore& store_;
  const UnixMillis now_;
  const DeliveryParts parts_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable stop_requested_;
  bool stopping_ = false;                   // guarded by mutex_, as are those below
  std::map<std::string, Backlog> backlogs_; // by owner
  std::map<TaskRef, std::shared_ptr<Interruption>> at_work_;
  std::vector<std::thread> threads_; // of `start` and `stop`
};

} // namespace tcfdl::courier
