// The clients that `tcfdl up` enrolled, kept beside the daemons' state, and the contexts made of them.
#pragma once

#include "cli/layout.hpp"
#include "sdk/context.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::cli {

/// What a master's ready document says of how to reach it: a context without a client. INVALID_ARGUMENT.
Result<sdk::Context> place_of(const std::string& name, const nlohmann::json& ready);

/// The context of a cluster from its master's ready document. Enrols a client where there is none yet or its
/// certificate is about to expire.
Result<sdk::Context> admit(const Layout& layout, const std::string& cluster, const nlohmann::json& ready);

/// Deletes the contexts that belong to this state directory; those of the same name from elsewhere stay.
Status remove_contexts(const Layout& layout);

} // namespace tcfdl::cli
