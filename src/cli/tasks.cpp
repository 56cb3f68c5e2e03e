#include "base/file.hpp"
#include "cli/bodies.hpp"
#include "cli/command.hpp"
#include "crypto/secret.hpp"
#include "sdk/task_document.hpp"

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>
#include <tcfdl/client.hpp>

namespace tcfdl::cli {
namespace {

using std::chrono::milliseconds;

struct TaskOptions {
  std::string function;
  std::string id;
  std::string in = "-";
  std::string out = "-";
  std::string protection = "eae";
  std::string assurance;
  std::string task_id;
  std::string callback;
  std::string priority = "normal";
  milliseconds timeout = kLongestTask;
};

Result<std::unique_ptr<Client>> connect(const Session& session) {
  crypto::protect_process();
  return Client::connect(session.context);
}

std::string time_of(std::int64_t millis) {
  if (millis == 0) return "-";
  const auto seconds = static_cast<std::time_t>(millis / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Status submit_task(const TaskOptions& options, const Session& session) {
  SubmitOptions submission;
  TCFDL_ASSIGN(submission.protection, protection_from_name(options.protection));
  TCFDL_ASSIGN(submission.priority, priority_from_name(options.priority));
  submission.timeout = options.timeout;
  submission.assurance = options.assurance;
  submission.task_id = options.task_id;
  submission.callback = options.callback;
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto body, read_body(options.in));
  TCFDL_ASSIGN(const auto id, client->submit(options.function, body, submission));
  if (session.json) {
    print_json({{"task_id", id}});
  } else {
    print(id + "\n");
  }
  return {};
}

/// Standard output may carry the result.
Status tell(const TaskOutcome& outcome, const Session& session) {
  const auto& info = outcome.info;
  const auto text =
      session.json ? sdk::task_document(info).dump(2) + "\n"
                   : fmt::format("{}: {} is {}{}\n", info.function, info.task_id, task_state_name(info.state),
                                 info.instance.empty() ? "" : fmt::format(" ({} on {})", info.instance, info.node));
  return write_all(STDERR_FILENO, as_bytes(text));
}

/// The result where there is one; the task's own error where it ended otherwise.
Status give_out(const TaskOutcome& outcome, const TaskOptions& options, const Session& session) {
  TCFDL_TRY(tell(outcome, session));
  if (outcome.info.error) return *outcome.info.error;
  if (outcome.info.state != TaskState::kSucceeded) return {};
  return write_body(options.out, outcome.result);
}

Status get_task(const TaskOptions& options, const Session& session) {
  TCFDL_ASSIGN(const auto protection, protection_from_name(options.protection));
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto outcome, client->task_get(options.id, protection));
  return give_out(outcome, options, session);
}

Status wait_for_task(const TaskOptions& options, const Session& session) {
  TCFDL_ASSIGN(const auto protection, protection_from_name(options.protection));
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto outcome, client->task_wait(options.id, options.timeout, protection));
  if (outcome.info.ended()) return give_out(outcome, options, session);
  return make_error(Code::kDeadlineExceeded, "task {} is {} after {} ms", options.id,
                    task_state_name(outcome.info.state), options.timeout.count());
}

Status open_task(const TaskOptions& options, const Session& session) {
  TCFDL_ASSIGN(const auto protection, protection_from_name(options.protection));
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto document, read_body(options.in));
  TCFDL_ASSIGN(const auto outcome, client->task_open(document, protection));
  return give_out(outcome, options, session);
}

Status cancel_task(const TaskOptions& options, const Session& session) {
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto info, client->task_cancel(options.id));
  if (session.json) {
    print_json(sdk::task_document(info));
  } else {
    print(fmt::format("{} {}\n", info.task_id,
                      info.ended() ? task_state_name(info.state) : std::string_view("is told to end")));
  }
  return {};
}

Status list_tasks(const Session& session) {
  TCFDL_ASSIGN(const auto client, connect(session));
  TCFDL_ASSIGN(const auto tasks, client->task_list());
  if (session.json) {
    auto document = Json::array();
    for (const auto& task : tasks) document.push_back(sdk::task_document(task));
    print_json(document);
    return {};
  }
  std::vector<std::vector<std::string>> rows{{"TASK", "FUNCTION", "STATE", "CODE", "SUBMITTED", "NODE"}};
  for (const auto& task : tasks) {
    rows.push_back({task.task_id, task.function, std::string(task_state_name(task.state)),
                    task.error ? std::string(code_name(task.error->code())) : "-", time_of(task.submitted_ms),
                    task.node.empty() ? "-" : task.node});
  }
  print(table(rows));
  return {};
}

void add_submit(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("submit", "leave a task to the cluster; prints its id");
  auto options = std::make_shared<TaskOptions>();
  command->add_option("function", options->function, "its name, as plates/read")->required();
  command->add_option("--in", options->in, "the body; - is standard input")->type_name("FILE");
  command->add_option("--protection", options->protection, "eae (end to end) or none")
      ->check(CLI::IsMember({"eae", "none"}));
  command->add_option("--assurance", options->assurance, "the least class that may see the data: software or hardware")
      ->check(CLI::IsMember({"software", "hardware"}));
  command->add_option("--priority", options->priority, "low, normal or high; high where the cluster permits it")
      ->check(CLI::IsMember({"low", "normal", "high"}));
  command->add_option("--task-id", options->task_id, "makes repeats of the submission one task")->type_name("UUID");
  command->add_option("--callback", options->callback, "the cluster posts the task there when it has ended")
      ->type_name("URL");
  add_duration(*command, "--timeout", options->timeout,
               "to the end of the task, waiting included; default and most 9m");
  command->callback(session.run([&session, options] { return submit_task(*options, session); }));
}

/// Of `get`, `wait` and `open`.
std::shared_ptr<TaskOptions> add_outcome_options(CLI::App& command) {
  auto options = std::make_shared<TaskOptions>();
  command.add_option("--out", options->out, "where the result goes; - is standard output")->type_name("FILE");
  command.add_option("--protection", options->protection, "with which it was submitted: eae or none")
      ->check(CLI::IsMember({"eae", "none"}));
  return options;
}

std::shared_ptr<TaskOptions> add_named(CLI::App& command) {
  auto options = add_outcome_options(command);
  command.add_option("id", options->id, "as `task submit` printed it")->required();
  return options;
}

} // namespace

void add_task_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("task", "tasks that run while their caller goes elsewhere");
  group->require_subcommand(1);
  add_submit(*group, session);
  auto* get = group->add_subcommand("get", "the state of a task, and its result if it is there");
  get->callback(session.run([&session, options = add_named(*get)] { return get_task(*options, session); }));
  auto* wait = group->add_subcommand("wait", "wait for the end of a task; gives its result");
  const auto waiting = add_named(*wait);
  add_duration(*wait, "--timeout", waiting->timeout, "default 9m");
  wait->callback(session.run([&session, waiting] { return wait_for_task(*waiting, session); }));
  auto* open = group->add_subcommand("open", "read what a callback brought; gives its result");
  const auto opening = add_outcome_options(*open);
  open->add_option("document", opening->in, "the whole body of the request; - is standard input")->type_name("FILE");
  open->callback(session.run([&session, opening] { return open_task(*opening, session); }));
  auto* cancel = group->add_subcommand("cancel", "end a task; a running handler is told");
  auto cancelling = std::make_shared<TaskOptions>();
  cancel->add_option("id", cancelling->id, "as `task submit` printed it")->required();
  cancel->callback(session.run([&session, cancelling] { return cancel_task(*cancelling, session); }));
  auto* list = group->add_subcommand("list", "your tasks, newest first");
  list->callback(session.run([&session] { return list_tasks(session); }));
}

} // namespace tcfdl::cli
