#include "cli/status.hpp"

#include "cli/api.hpp"

namespace tcfdl::cli {
namespace {

std::string part(const Json& status, const char* list, std::vector<std::string> heading,
                 const std::vector<const char*>& keys) {
  const auto found = status.find(list);
  if (found == status.end() || !found->is_array() || found->empty()) return {};
  std::vector<std::vector<std::string>> rows{std::move(heading)};
  for (const auto& item : *found) {
    std::vector<std::string> row;
    row.reserve(keys.size());
    for (const auto* key : keys) row.push_back(shown(item, key));
    rows.push_back(std::move(row));
  }
  return "\n" + table(rows);
}

/// What the software TEE consists of, a line a node.
std::string layers(const Json& status) {
  std::string text;
  for (const auto& node : status.value("nodes", Json::array())) {
    std::string list;
    for (const auto& layer : node.value("layers", Json::array())) {
      if (layer.is_string()) list += (list.empty() ? "" : ", ") + layer.get<std::string>();
    }
    if (!list.empty()) text += fmt::format("{}: software TEE with {}\n", shown(node, "name"), list);
  }
  return text;
}

/// Why functions do not run as they should, a line each.
std::string problems(const Json& status) {
  std::string text;
  for (const auto& function : status.value("functions", Json::array())) {
    if (function.contains("problem"))
      text += fmt::format("{}: {}\n", shown(function, "name"), shown(function, "problem"));
    if (const auto trial = function.find("trial"); trial != function.end()) {
      text += fmt::format("{}: version {} is on trial: {} of {} instances ready, {} failed runs\n",
                          shown(function, "name"), shown(*trial, "version"), shown(*trial, "instances_ready"),
                          shown(*trial, "instances_wanted"), shown(*trial, "failures"));
    }
    if (const auto rollback = function.find("rollback"); rollback != function.end()) {
      text += fmt::format("{}: version {} was rolled back, version {} serves: {}\n", shown(function, "name"),
                          shown(*rollback, "version"), shown(function, "version"), shown(*rollback, "reason"));
    }
  }
  return text.empty() ? text : "\n" + text;
}

} // namespace

Status print_status(const Session& session) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto status, api.get("/v1/status"));
  if (session.json) {
    print_json(status);
    return {};
  }
  auto text = fmt::format("cluster {}, master {}\n{}\n", shown(status, "cluster"), shown(status, "node"),
                          shown(status, "protection"));
  text += part(status, "clusters", {"CLUSTER", "STATE"}, {"name", "state"});
  text += part(status, "nodes", {"NODE", "ROLE", "TEE", "STATE", "CORES", "LOAD", "PID"},
               {"name", "role", "tee_kind", "state", "cores", "load", "pid"});
  text += layers(status);
  text += part(status, "functions",
               {"FUNCTION", "VERSION", "CLUSTER", "READY", "WANTED", "MIN", "MAX", "WARM", "WAITING", "RUNNING"},
               {"name", "version", "cluster", "instances_ready", "instances_wanted", "instances_min", "instances_max",
                "instances_warm", "waiting", "in_flight"});
  text += problems(status);
  text += part(status, "instances",
               {"INSTANCE", "FUNCTION", "VERSION", "NODE", "STATE", "PID", "RESTARTS", "CRASH LOOP", "LAST ERROR"},
               {"id", "function", "version", "node", "state", "pid", "restarts", "crash_looping", "last_error"});
  print(text);
  return {};
}

} // namespace tcfdl::cli
