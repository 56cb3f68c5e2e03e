// The running tasks that masters presented: no connection stands for their submitter, so a cancellation names them.
#pragma once

#include "base/guarded.hpp"
#include "wire/messages.hpp"

#include <map>
#include <optional>
#include <stop_token>
#include <tuple>
#include <vector>

namespace tcfdl::sdk {

/// Thread-safe; outlives its entries.
class PresentedTasks {
  /// The presenting cluster, the caller's key, the task id.
  using Key = std::tuple<std::string, std::string, std::string>;
  using Tasks = std::multimap<Key, std::stop_source>; // a repeat joins the first run

public:
  class Entry {
  public:
    Entry(Guarded<Tasks>& tasks, Tasks::iterator at) : tasks_(&tasks), at_(at) {}
    Entry(Entry&& other) noexcept : tasks_(std::exchange(other.tasks_, nullptr)), at_(other.at_) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (tasks_ != nullptr) tasks_->with([&](auto& tasks) { tasks.erase(at_); });
    }

  private:
    Guarded<Tasks>* tasks_;
    Tasks::iterator at_;
  };

  /// While the entry lives, `cancel` stops the task. nullopt for one whose caller came itself.
  [[nodiscard]] std::optional<Entry> enter(const wire::Lease& lease, const std::stop_source& stop) {
    if (!lease.presented()) return std::nullopt;
    return tasks_.with([&](auto& tasks) -> std::optional<Entry> {
      return std::optional<Entry>(std::in_place, tasks_,
                                  tasks.emplace(Key{lease.cluster(), lease.caller_key(), lease.task_id()}, stop));
    });
  }

  /// Whether there is such a task; it is told to stop.
  bool cancel(const std::string& cluster, const wire::PresentedTask& task) {
    // A stop runs callbacks, which are none of this lock's business.
    auto running = tasks_.with([&](auto& tasks) {
      const auto [first, last] = tasks.equal_range(Key{cluster, task.caller_key(), task.task_id()});
      std::vector<std::stop_source> found;
      for (auto at = first; at != last; ++at) found.push_back(at->second);
      return found;
    });
    for (auto& stop : running) stop.request_stop();
    return !running.empty();
  }

private:
  Guarded<Tasks> tasks_;
};

} // namespace tcfdl::sdk
