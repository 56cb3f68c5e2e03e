// Messages that the server keeps in their order, and their delivery to durable readers.
#pragma once

#include "base/deadline.hpp"

#include <memory>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::message_queue {

/// Numbers of a log's messages count from 1; what was trimmed is gone from the front.
struct LogState {
  std::uint64_t first = 0; ///< of the oldest that is there, or the one after `last`
  std::uint64_t last = 0;  ///< of the newest that ever was; 0: none
  std::uint64_t count = 0; ///< last - first + 1, unless the server's store has lost some
};

/// A message that was delivered to a reader and waits for its settlement. Without one it is delivered again when the
/// reader's time has passed. Any thread; what is told to a server that is away is lost, and the message comes again.
class LogMessage {
public:
  LogMessage() = default;
  LogMessage(const LogMessage&) = delete;
  LogMessage& operator=(const LogMessage&) = delete;
  virtual ~LogMessage() = default;
  [[nodiscard]] virtual std::uint64_t number() const = 0;
  [[nodiscard]] virtual BytesView data() const = 0;
  /// It is not delivered to this reader again.
  virtual void settle() = 0;
  /// It is delivered again after so long.
  virtual void put_back(std::chrono::milliseconds delay) = 0;
  /// The time of the reader begins anew.
  virtual void keep() = 0;
};

/// Delivery of a log to one name. One thread at a time.
class LogReader {
public:
  using Messages = std::vector<std::unique_ptr<LogMessage>>;
  LogReader() = default;
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;
  virtual ~LogReader() = default;
  /// Up to so many and so many bytes, as soon as there is one; none after `wait`, also from a reader that the server
  /// does not have any more. NOT_FOUND when it loses the reader meanwhile, UNAVAILABLE while it is away.
  virtual Result<Messages> fetch(std::size_t most, std::size_t most_bytes, std::chrono::milliseconds wait) = 0;
};

struct ReaderSettings {
  std::uint64_t start = 1;                ///< number of the first message, for a reader that is new
  std::chrono::milliseconds time{30'000}; ///< from a delivery to the next one, without a settlement
};

/// Any thread. Operations end within the timeout of the bus, with DEADLINE_EXCEEDED; UNAVAILABLE while the server is
/// away. Names as those of key-value buckets. Logs end after their readers.
class MessageLogs {
public:
  MessageLogs() = default;
  MessageLogs(const MessageLogs&) = delete;
  MessageLogs& operator=(const MessageLogs&) = delete;
  virtual ~MessageLogs() = default;

  /// Makes a log that is not there.
  virtual Status create_log(const std::string& log) = 0;
  /// NOT_FOUND.
  virtual Result<LogState> log_state(const std::string& log) = 0;
  /// Appends the message of number `after` + 1; one that was appended in the last two minutes is not appended twice.
  /// DATA_LOSS when another number is next.
  virtual Status append_to_log(const std::string& log, std::uint64_t after, BytesView data) = 0;
  /// Drops the messages before a number.
  virtual Status trim_log(const std::string& log, std::uint64_t first) = 0;
  /// Success if it was not there.
  virtual Status remove_log(const std::string& log) = 0;
  /// Makes a reader that is not there. NOT_FOUND for the log.
  virtual Result<std::unique_ptr<LogReader>> open_reader(const std::string& log, const std::string& reader,
                                                         const ReaderSettings& settings) = 0;
  /// Success if it was not there.
  virtual Status remove_reader(const std::string& log, const std::string& reader) = 0;
};

} // namespace tcfdl::message_queue
