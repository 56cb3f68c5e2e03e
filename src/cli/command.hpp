// What the commands of `tcfdl` share: one `add_…` function per group, which parses into an action that runs later.
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace CLI { // NOLINT(readability-identifier-naming): the name of the library
class App;
class Option;
} // namespace CLI

namespace tcfdl::cli {

using Json = nlohmann::json;

// Exit codes of commands that judge.
constexpr int kAccepted = 0;
constexpr int kRefused = 1;
constexpr int kWrongUsage = 2;

/// The global options and the chosen command's action. Outlives the parsing.
struct Session {
  bool json = false;
  std::string context; ///< empty: TCFDL_CONTEXT, else the current one
  /// Runs the command; its value is the exit code.
  std::function<Result<int>()> action;

  /// The callback of a command whose success is 0.
  std::function<void()> run(std::function<Status()> command) {
    return [this, command = std::move(command)] {
      action = [command]() -> Result<int> {
        TCFDL_TRY(command());
        return 0;
      };
    };
  }

  /// The callback of a command that judges; it gives one of the exit codes above.
  std::function<void()> judge(std::function<int()> command) {
    return [this, command = std::move(command)] { action = [command]() -> Result<int> { return command(); }; };
  }
};

/// Tells what is wrong with a command that judges or with its files; gives kWrongUsage.
int refuse_usage(const Session& session, const Error& error);

void add_cluster_commands(CLI::App& app, Session& session); ///< up, down, status
void add_top_command(CLI::App& app, Session& session);
void add_daemon_commands(CLI::App& app, Session& session); ///< service-manager, master, worker
void add_function_commands(CLI::App& app, Session& session);
void add_admission_commands(CLI::App& app, Session& session);    ///< token, enrol
void add_node_drain_commands(CLI::App& group, Session& session); ///< of the group `node`
void add_grant_commands(CLI::App& app, Session& session);        ///< grant
void add_access_commands(CLI::App& app, Session& session);       ///< access, audit
void add_attest_commands(CLI::App& app, Session& session);       ///< attest
void add_policy_commands(CLI::App& app, Session& session);       ///< policy
void add_context_commands(CLI::App& app, Session& session);
void add_context_tls_command(CLI::App& group, Session& session); ///< of the group `context`
void add_tee_commands(CLI::App& app, Session& session);          ///< tee, doctor
void add_key_commands(CLI::App& app, Session& session);          ///< key
void add_invoke_command(CLI::App& app, Session& session);
void add_task_commands(CLI::App& app, Session& session);    ///< task submit, get, wait, cancel, list
void add_topic_commands(CLI::App& app, Session& session);   ///< topic create, publish, subscribe, …
void add_receipt_commands(CLI::App& app, Session& session); ///< receipt verify
void add_backup_commands(CLI::App& app, Session& session);
void add_bench_commands(CLI::App& app, Session& session);
void add_model_commands(CLI::App& app, Session& session); ///< model
void add_simulate_command(CLI::App& app, Session& session);
void add_completion_command(CLI::App& app, Session& session); ///< completion, version

/// Writes text to standard output. Without an effect on errors: who closed the pipe wants no more.
void print(std::string_view text);
void print_json(const Json& document);

/// Columns of equal width; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// A member as people read it: texts without quotes, lists with commas; `-` when absent.
std::string shown(const Json& object, const char* key);

/// An option whose text is a duration, as `5s`; a wrong one is a usage error.
CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help);

} // namespace tcfdl::cli
