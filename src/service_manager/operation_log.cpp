#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager {

Result<std::uint64_t> OperationLog::last() {
  TCFDL_ASSIGN(const auto seq, database_.query_one("SELECT coalesce(max(seq), 0) FROM operations", {},
                                                   [](const database::Row& row) { return row.integer(0); }));
  return static_cast<std::uint64_t>(seq.value_or(0));
}

Result<Operation> OperationLog::append_now(std::string kind, Bytes payload) {
  Operation operation{.seq = 0, .kind = std::move(kind), .payload = std::move(payload), .time = clock_.now()};
  TCFDL_TRY(database_.transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto before, last());
    operation.seq = before + 1;
    return store_and_apply(operation);
  }));
  return operation;
}

Status OperationLog::accept(const Operation& operation) {
  return database_.transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto before, last());
    if (operation.seq != before + 1) {
      return make_error(Code::kFailedPrecondition, "operation {} does not follow operation {}", operation.seq, before);
    }
    return store_and_apply(operation);
  });
}

Status OperationLog::store_and_apply(const Operation& operation) {
  const auto apply = appliers_.find(operation.kind);
  if (apply == appliers_.end()) {
    return make_error(Code::kFailedPrecondition, "operation {} is of the unknown kind '{}': a newer program wrote it",
                      operation.seq, operation.kind);
  }
  TCFDL_TRY(
      database_.execute("INSERT INTO operations (seq, kind, payload, time) VALUES (?, ?, ?, ?)",
                        {static_cast<std::int64_t>(operation.seq), operation.kind, operation.payload, operation.time}));
  return apply->second(database_, operation);
}

Result<std::vector<Operation>> OperationLog::read(std::uint64_t after, std::uint32_t limit) {
  std::vector<Operation> operations;
  TCFDL_TRY(database_.query("SELECT seq, kind, payload, time FROM operations WHERE seq > ? ORDER BY seq LIMIT ?",
                            {static_cast<std::int64_t>(after), static_cast<std::int64_t>(limit)},
                            [&](const database::Row& row) -> Status {
                              operations.push_back({.seq = static_cast<std::uint64_t>(row.integer(0)),
                                                    .kind = row.text(1),
                                                    .payload = row.blob(2),
                                                    .time = row.integer(3)});
                              return {};
                            }));
  return operations;
}

} // namespace tcfdl::service_manager
