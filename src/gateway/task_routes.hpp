// Tasks that nobody waits for: POST /v1/functions/NAME/tasks gives a URL at once, where the result will be.
#pragma once

#include "gateway/callers.hpp"
#include "gateway/ports.hpp"

namespace tcfdl::gateway {

/// How a task's URL names it: `ID`, or `ID.KEY` with the key to its result in base64url. Whoever may ask this gateway
/// and has the URL reads the result; the gateway keeps nothing.
struct TaskName {
  std::string id;
  crypto::SecretBytes key; ///< empty: the gateway's own x opens the result, while its process lasts
};

std::string task_url(const sdk::Submitted& task);

/// INVALID_ARGUMENT for what is no UUID, or another key than one of 16 bytes.
Result<TaskName> parse_task_name(std::string_view text);

/// Options of a submission from its request: query `timeout`, `protection`, `assurance`; headers Idempotency-Key,
/// Tcfdl-Priority, Tcfdl-Callback, Content-Type. INVALID_ARGUMENT names the one at fault.
Result<SubmitOptions> submit_options_of(const http::Request& request);

/// Adds the routes. Tasks and callers outlive the server.
void add_task_routes(http::Server& server, StoredTasks& tasks, Callers& callers);

} // namespace tcfdl::gateway
