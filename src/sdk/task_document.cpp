#include "sdk/task_document.hpp"

namespace tcfdl::sdk {

nlohmann::json task_document(const TaskInfo& info) {
  nlohmann::json document{{"task_id", info.task_id},
                          {"function", info.function},
                          {"state", task_state_name(info.state)},
                          {"submitted_ms", info.submitted_ms},
                          {"started_ms", info.started_ms},
                          {"finished_ms", info.finished_ms},
                          {"expires_ms", info.expires_ms},
                          {"instance", info.instance},
                          {"node", info.node},
                          {"run_us", info.run_us},
                          {"priority", priority_name(info.priority)}};
  if (info.error) {
    document["code"] = code_name(info.error->code());
    document["message"] = info.error->message();
  }
  return document;
}

} // namespace tcfdl::sdk
