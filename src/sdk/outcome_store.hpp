// What became of the tasks of this instance: a repeat gets the stored outcome or waits for the running one.
#pragma once

#include "base/clock.hpp"
#include "base/deadline.hpp"
#include "crypto/fingerprint.hpp"

#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tcfdl/bytes.hpp>

namespace tcfdl::sdk {

/// A handler's result or error, in the clear: sealed anew for each caller that may have it.
struct Outcome {
  std::uint32_t code = 0; ///< 0: success
  Bytes body;             ///< the result, or the error's text
  Bytes receipt{};        ///< of a success whose caller asked for one

  [[nodiscard]] std::size_t size() const noexcept { return body.size() + receipt.size(); }
};

/// Tasks by sender (the key it has proven) and task id. Thread-safe. Bounded: outcomes beyond the budget are forgotten,
/// oldest first, and a repeat of such a task is refused rather than run again, for as long as the task is remembered.
class OutcomeStore {
public:
  /// `budget`: bytes of kept outcomes; `entries`: tasks remembered; `lifetime`: seconds that they are.
  OutcomeStore(std::size_t budget, std::size_t entries, std::int64_t lifetime, const Clock& clock)
      : budget_(budget), most_entries_(entries), lifetime_(lifetime), clock_(clock) {}

  /// The right to run a task, or what became of it. nullopt: run it, then call `finish`.
  /// ALREADY_EXISTS for a repeat with another body or one whose outcome was not kept; DEADLINE_EXCEEDED while joining.
  Result<std::optional<std::shared_ptr<const Outcome>>> begin(const std::string& sender, const std::string& task,
                                                              const crypto::Fingerprint& body, Deadline deadline);

  /// Ends a task that `begin` gave out. nullptr: its outcome went straight to the caller and is not kept.
  void finish(const std::string& sender, const std::string& task, std::shared_ptr<const Outcome> outcome);

private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    crypto::Fingerprint body;
    bool running = true;
    std::shared_ptr<const Outcome> outcome{};
    std::int64_t expires = 0;
  };

  void make_room();
  void forget_outcome(Entry& entry);

  const std::size_t budget_;
  const std::size_t most_entries_;
  const std::int64_t lifetime_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable finished_;
  std::map<Key, Entry> entries_; // guarded by mutex_
  std::list<Key> order_;         // guarded by mutex_; finished ones, oldest first
  std::size_t kept_ = 0;         // guarded by mutex_; bytes
};

} // namespace tcfdl::sdk
