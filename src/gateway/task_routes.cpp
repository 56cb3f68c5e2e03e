#include "gateway/task_routes.hpp"

#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "gateway/options.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "sdk/task_document.hpp"

namespace tcfdl::gateway {
namespace {

using std::chrono::milliseconds;

/// A request that waits holds a thread of the server.
constexpr milliseconds kLongestWait{30'000};

struct Asked {
  TaskName name;
  milliseconds wait{0};
  Protection protection = Protection::kEae;
};

Result<Asked> read_question(const http::Request& request) {
  Asked asked;
  TCFDL_ASSIGN(asked.name, parse_task_name(request.param("task")));
  for (const auto& [key, value] : request.query) {
    if (key == "wait") {
      TCFDL_ASSIGN(asked.wait, parse_duration(value));
      if (asked.wait > kLongestWait) return Error(Code::kInvalidArgument, "wait: at most 30s; ask again after it");
    } else if (key == "protection") {
      TCFDL_ASSIGN(asked.protection, protection_from_name(value));
    } else {
      return make_error(Code::kInvalidArgument, "a task has no parameter '{}'; it has wait and protection", key);
    }
  }
  return asked;
}

http::Response document(int status, const nlohmann::json& content) {
  return http::Response::json(status, http::dump_json(content));
}

http::Response describe(const TaskOutcome& outcome, const http::Request& request) {
  const auto& info = outcome.info;
  if (!info.ended()) {
    auto response = document(202, sdk::task_document(info));
    response.headers.add("Retry-After", "1");
    return response;
  }
  auto response = info.error ? http::problem(*info.error, request.path)
                             : http::Response::of(200, "application/octet-stream", as_text(outcome.result));
  response.headers.add("Tcfdl-Task-Id", info.task_id);
  response.headers.add("Tcfdl-Task-State", std::string(task_state_name(info.state)));
  response.headers.add("Tcfdl-Node", info.node);
  response.headers.add("Tcfdl-Instance", info.instance);
  response.headers.add("Server-Timing", fmt::format("run;dur={:.3f}", static_cast<double>(info.run_us) / 1000.0));
  return response;
}

Result<http::Response> submit(StoredTasks& tasks, Callers& callers, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, parse_function_name(request.param("name")));
  TCFDL_TRY(callers.check_call(request, name.str()));
  TCFDL_ASSIGN(const auto options, submit_options_of(request));
  TCFDL_ASSIGN(const auto submitted, tasks.submit(name.str(), request.body, options, client_of(request)));
  const auto url = task_url(submitted);
  auto response = document(202, {{"task_id", submitted.task_id}, {"url", url}});
  response.headers.add("Location", url);
  response.headers.add("Tcfdl-Task-Id", submitted.task_id);
  return response;
}

Result<http::Response> get(StoredTasks& tasks, const http::Request& request) {
  TCFDL_ASSIGN(const auto asked, read_question(request));
  const sdk::ResultAccess access{.protection = asked.protection, .key = std::as_const(asked.name.key).span()};
  TCFDL_ASSIGN(const auto outcome, tasks.wait(asked.name.id, asked.wait, access, client_of(request)));
  return describe(outcome, request);
}

Result<http::Response> cancel(StoredTasks& tasks, const http::Request& request) {
  TCFDL_ASSIGN(const auto name, parse_task_name(request.param("task")));
  TCFDL_ASSIGN(const auto info, tasks.cancel(name.id, client_of(request)));
  return document(200, sdk::task_document(info));
}

Result<http::Response> list(StoredTasks& tasks, const http::Request& request) {
  TCFDL_ASSIGN(const auto infos, tasks.list(client_of(request)));
  auto documents = nlohmann::json::array();
  for (const auto& info : infos) documents.push_back(sdk::task_document(info));
  return document(200, {{"tasks", std::move(documents)}});
}

/// A handler whose errors are problem documents.
template <class Answer> http::Handler answering(Answer answer) {
  return [answer = std::move(answer)](const http::Request& request) {
    auto response = answer(request);
    return response ? *std::move(response) : http::problem(response.error(), request.path);
  };
}

} // namespace

std::string task_url(const sdk::Submitted& task) {
  const auto key = task.result_key.empty() ? "" : "." + to_base64url(task.result_key.span());
  return "/v1/tasks/" + task.task_id + key;
}

Result<TaskName> parse_task_name(std::string_view text) {
  const auto dot = text.find('.');
  TaskName name;
  name.id = text.substr(0, dot);
  if (!is_uuid(name.id)) return Error(Code::kInvalidArgument, "a task's URL ends in its id, a UUID in lower case");
  if (dot == std::string_view::npos) return name;
  auto key = from_base64url(text.substr(dot + 1));
  if (!key || key->size() != crypto::kAeadKeySize) {
    return Error(Code::kInvalidArgument, "the key in the task's URL is damaged; use the URL as it was given");
  }
  name.key = crypto::SecretBytes::copy_of(*key);
  crypto::wipe(*key);
  return name;
}

Result<SubmitOptions> submit_options_of(const http::Request& request) {
  SubmitOptions options;
  for (const auto& [key, value] : request.query) {
    TCFDL_ASSIGN(const bool known, take_parameter(key, value, options));
    if (!known) {
      return make_error(Code::kInvalidArgument,
                        "a submission has no parameter '{}'; it has timeout, protection and assurance", key);
    }
  }
  TCFDL_TRY(take_fields(request, options));
  options.callback = request.headers.get("Tcfdl-Callback");
  return options;
}

void add_task_routes(http::Server& server, StoredTasks& tasks, Callers& callers) {
  server.add("POST", "/v1/functions/{name...}/tasks",
             answering([&](const http::Request& request) { return submit(tasks, callers, request); }),
             {.max_body = kMaxBody});
  server.add("GET", "/v1/tasks/{task}", answering([&](const http::Request& request) { return get(tasks, request); }));
  server.add("DELETE", "/v1/tasks/{task}",
             answering([&](const http::Request& request) { return cancel(tasks, request); }));
  server.add("GET", "/v1/tasks", answering([&](const http::Request& request) { return list(tasks, request); }));
}

} // namespace tcfdl::gateway
