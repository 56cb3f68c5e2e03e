// A topic's copy in the message queue, from where its subscriptions read.
#pragma once

#include "message_queue/logs.hpp"
#include "topics/journal.hpp"

#include <mutex>

namespace tcfdl::topics {

/// Follows the journal. A copy that is not the journal's (the server lost it, or a part of it) is made anew from it.
/// Thread-safe; references outlive it.
class LogCopy {
public:
  LogCopy(Journal& journal, message_queue::MessageLogs& logs, TopicRecord topic)
      : journal_(journal), logs_(logs), topic_(std::move(topic)) {}

  /// Appends what the journal has in addition. UNAVAILABLE while the server is away.
  Status forward();
  /// Has the copy held against the journal before it is used again.
  void distrust();
  /// Has it made anew, whatever it looks like.
  void discard();
  /// Drops what the journal does not keep any more.
  Status trim(std::uint64_t first);
  Status remove();

  /// A reader, and of which copy: it reads until that is another one.
  struct Opened {
    std::unique_ptr<message_queue::LogReader> reader;
    std::string log;
    std::uint64_t base = 0;
  };
  Result<Opened> open(const SubscriptionRecord& subscription, std::chrono::milliseconds handling);
  [[nodiscard]] std::string log() const;

private:
  enum class Trust : std::uint8_t { kNone, kLook, kTrusted };
  Status settle_trust();
  Status look();
  Status rebuild(std::string_view why);
  Status append_all();

  Journal& journal_;
  message_queue::MessageLogs& logs_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  TopicRecord topic_; // of the copy: log and base
  Trust trust_ = Trust::kLook;
  std::uint64_t forwarded_ = 0;
  std::uint64_t trimmed_ = 0;
};

} // namespace tcfdl::topics
