// `tcfdl status`.
#pragma once

#include "cli/command.hpp"

namespace tcfdl::cli {

/// Prints what the context's master tells of its cluster.
Status print_status(const Session& session);

} // namespace tcfdl::cli
