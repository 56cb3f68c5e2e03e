// A submitted task as a JSON document, for people and programs.
#pragma once

#include <nlohmann/json.hpp>
#include <tcfdl/client.hpp>

namespace tcfdl::sdk {

/// `code` and `message` are there for a task that ended without success.
nlohmann::json task_document(const TaskInfo& info);

} // namespace tcfdl::sdk
