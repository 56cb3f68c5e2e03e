// The tables of the service manager, all in one database.
#pragma once

#include "database/sqlite.hpp"

namespace tcfdl::service_manager {

/// Creates the tables or brings them up to date. FAILED_PRECONDITION if a newer program wrote the database.
Status prepare_schema(database::Database& database);

/// One for each schema, in their order.
std::span<const std::string_view> schema_scripts();

} // namespace tcfdl::service_manager
