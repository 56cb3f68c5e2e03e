#include "cli/run.hpp"

#include "cli/command.hpp"
#include "http/problem.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace tcfdl::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

void add_commands(CLI::App& app, Session& session) {
  app.description("Functions in trusted execution environments, on this machine and on collaborating clusters.");
  app.add_flag("--json", session.json, "machine-readable output");
  app.add_option("--context", session.context, "the cluster to talk to; see `tcfdl context list`")->type_name("NAME");
  app.fallthrough();
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "help of all commands");
  add_cluster_commands(app, session);
  add_top_command(app, session);
  add_function_commands(app, session);
  add_key_commands(app, session);
  add_invoke_command(app, session);
  add_task_commands(app, session);
  add_topic_commands(app, session);
  add_model_commands(app, session);
  add_simulate_command(app, session);
  add_receipt_commands(app, session);
  add_context_commands(app, session);
  add_admission_commands(app, session);
  add_grant_commands(app, session);
  add_access_commands(app, session);
  add_attest_commands(app, session);
  add_policy_commands(app, session);
  add_daemon_commands(app, session);
  add_backup_commands(app, session);
  add_tee_commands(app, session);
  add_bench_commands(app, session);
  add_completion_command(app, session);
}

int report(const Session& session, const Error& error) {
  (void)std::fprintf(stderr, "tcfdl: %s\n", error.to_string().c_str());
  if (session.json) print(std::string(http::problem(error).text()) + "\n");
  return kFailed;
}

int usage(const CLI::App& app, const Session& session, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  (void)std::fprintf(stderr, "tcfdl: INVALID_ARGUMENT: %s (--help explains)\n", error.what());
  if (session.json) print(std::string(http::problem(Error(Code::kInvalidArgument, error.what())).text()) + "\n");
  return kUsage;
}

int run_action(const Session& session) {
  try {
    const auto code = session.action();
    return code ? *code : report(session, code.error());
  } catch (const std::exception& failure) {
    return report(session, make_error(Code::kInternal, "unexpected: {}", failure.what()));
  }
}

} // namespace

int run(int argc, char** argv) {
  CLI::App app{"", "tcfdl"};
  Session session;
  add_commands(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage(app, session, error);
  }
  return run_action(session);
}

} // namespace tcfdl::cli
