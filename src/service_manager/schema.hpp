// The tables of the service manager, all in one database.
#pragma once

#include "database/sqlite.hpp"

namespace tcfdl::service_manager {

/// Creates the tables or brings them up to date. FAILED_PRECONDITION if a newer program wrote the database.
Status prepare_schema(database::Database& database);

} // namespace tcfdl::service_manager
