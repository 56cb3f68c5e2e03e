#include "cli/status.hpp"
#include "cli/up.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

constexpr auto kStateHelp = "the directory of what runs; default $XDG_STATE_HOME/tcfdl/default";

void add_up(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("up", "start clusters on this machine");
  auto options = std::make_shared<UpOptions>();
  command->add_option("--state", options->state, kStateHelp)->type_name("DIR");
  command->add_option("--topology", options->topology, "clusters and workers; default one of each")->type_name("FILE");
  command->add_flag("--detach", options->detach, "return when everything is ready");
  command->add_flag("--ephemeral", options->ephemeral, "delete state and contexts at the end");
  add_duration(*command, "--timeout", options->ready_timeout, "until daemons are ready; default 60s");
  command->callback(session.run([&session, options] { return up(session, *options); }));
}

void add_down(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("down", "stop what `up` started");
  auto options = std::make_shared<DownOptions>();
  command->add_option("--state", options->state, kStateHelp)->type_name("DIR");
  command->add_flag("--delete", options->remove, "delete state and contexts, too");
  command->callback(session.run([&session, options] { return down(session, *options); }));
}

} // namespace

void add_cluster_commands(CLI::App& app, Session& session) {
  add_up(app, session);
  add_down(app, session);
  app.add_subcommand("status", "nodes, functions and instances")->callback(session.run([&session] {
    return print_status(session);
  }));
}

} // namespace tcfdl::cli
