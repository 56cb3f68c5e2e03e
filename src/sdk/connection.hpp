// How a process that has a context reaches its cluster, and as whom.
#pragma once

#include "sdk/task_manager_client.hpp"
#include "wire/known_names.hpp"

namespace tcfdl::sdk {

struct ConnectionParts {
  Identity identity;
  Connector connector;
  std::string token;
  std::unique_ptr<wire::KnownNames> names;
  std::function<void(const wire::Signed&)> on_renewed; ///< keeps a newer certificate in the context
};

/// Of a context by name, as `Client::connect` has it.
Result<ConnectionParts> connection_of(const std::string& context);

} // namespace tcfdl::sdk
