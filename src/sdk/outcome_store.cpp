#include "sdk/outcome_store.hpp"

namespace tcfdl::sdk {

Result<std::optional<std::shared_ptr<const Outcome>>> OutcomeStore::begin(const std::string& sender,
                                                                          const std::string& task,
                                                                          const crypto::Fingerprint& body,
                                                                          Deadline deadline) {
  std::unique_lock lock(mutex_);
  const Key key{sender, task};
  for (;;) {
    make_room();
    const auto [found, inserted] = entries_.try_emplace(key, Entry{body});
    if (inserted) return std::optional<std::shared_ptr<const Outcome>>();
    auto& entry = found->second;
    if (entry.body != body) {
      return make_error(Code::kAlreadyExists, "task {} was given before with another body; use a new task id", task);
    }
    if (!entry.running) {
      if (entry.outcome) return std::optional(entry.outcome);
      return make_error(Code::kAlreadyExists, "task {} has run and its outcome was not kept; use a new task id", task);
    }
    if (finished_.wait_until(lock, deadline.when()) == std::cv_status::timeout) {
      return Deadline::exceeded("waiting for the first call of this task");
    }
  }
}

void OutcomeStore::finish(const std::string& sender, const std::string& task, std::shared_ptr<const Outcome> outcome) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find({sender, task});
  if (found == entries_.end()) return;
  auto& entry = found->second;
  entry.running = false;
  entry.expires = clock_.now() + lifetime_;
  if (outcome && outcome->size() <= budget_ / 4) {
    kept_ += outcome->size();
    entry.outcome = std::move(outcome);
  }
  order_.push_back(found->first);
  make_room();
  finished_.notify_all();
}

void OutcomeStore::make_room() {
  const auto now = clock_.now();
  while (!order_.empty()) {
    const auto oldest = entries_.find(order_.front());
    if (entries_.size() <= most_entries_ && oldest->second.expires > now) break;
    forget_outcome(oldest->second);
    entries_.erase(oldest);
    order_.pop_front();
  }
  for (auto at = order_.begin(); at != order_.end() && kept_ > budget_; ++at)
    forget_outcome(entries_.find(*at)->second);
}

void OutcomeStore::forget_outcome(Entry& entry) {
  if (!entry.outcome) return;
  kept_ -= entry.outcome->size();
  entry.outcome.reset();
}

} // namespace tcfdl::sdk
