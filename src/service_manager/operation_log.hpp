// State as an ordered log of operations: whoever applies the same log has the same tables.
#pragma once

#include "base/clock.hpp"
#include "database/sqlite.hpp"
#include "wire/signed.hpp"

#include <map>

namespace tcfdl::service_manager {

struct Operation {
  std::uint64_t seq = 0; ///< from 1, without gaps
  std::string kind;      ///< the name of the payload's message
  Bytes payload;
  UnixSeconds time = 0; ///< when it was appended; apply functions use it and never the clock
};

/// Stores operations in the table `operations` and applies each in the same transaction. An apply function depends on
/// the tables and the operation only; when it refuses, neither the operation nor a change of it remains.
/// Any thread, once all kinds are known; database and clock outlive the log.
class OperationLog {
public:
  using Apply = std::function<Status(database::Database&, const Operation&)>;

  OperationLog(database::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  /// Says how operations of `Message` are applied. Before the first operation; one thread.
  template <class Message> void on(std::function<Status(database::Database&, const Message&, const Operation&)> apply) {
    appliers_[wire::label_of<Message>()] = [apply = std::move(apply)](database::Database& database,
                                                                      const Operation& operation) -> Status {
      TCFDL_ASSIGN(const auto message, wire::parse<Message>(operation.payload));
      return apply(database, message, operation);
    };
  }

  /// Appends and applies an operation made here. Returns it as stored, or what its apply function returned.
  template <class Message> Result<Operation> append(const Message& message) {
    return append_now(wire::label_of<Message>(), wire::serialize(message));
  }

  /// Appends and applies an operation of another log of the same state. FAILED_PRECONDITION unless it is the next one
  /// and of a known kind.
  Status accept(const Operation& operation);

  /// Operations after `after`, at most `limit` of them.
  Result<std::vector<Operation>> read(std::uint64_t after, std::uint32_t limit);

  /// The last operation's number; 0 when there is none.
  Result<std::uint64_t> last();

private:
  Result<Operation> append_now(std::string kind, Bytes payload);
  Status store_and_apply(const Operation& operation);

  database::Database& database_;
  const Clock& clock_;
  std::map<std::string, Apply> appliers_; // constant after the first operation
};

} // namespace tcfdl::service_manager
