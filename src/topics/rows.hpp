// Numbers of the journal as SQLite has them. Internal: included by the journal's sources only.
#pragma once

#include "database/sqlite.hpp"

namespace tcfdl::topics {

inline std::uint64_t number(const database::Row& row, int column) {
  return static_cast<std::uint64_t>(row.integer(column));
}
inline std::int64_t value(std::uint64_t number) { return static_cast<std::int64_t>(number); }

} // namespace tcfdl::topics
