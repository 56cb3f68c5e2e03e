#include "cli/command.hpp"
#include "node/run.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

void add_daemon(CLI::App& app, Session& session, const std::string& name, const std::string& help,
                int (*run)(const std::string&)) {
  auto* command = app.add_subcommand(name, help)->group("Daemons");
  auto config = std::make_shared<std::string>();
  command->add_option("--config", *config, "its configuration file")->required()->type_name("FILE");
  command->callback(
      [&session, config, run] { session.action = [config, run]() -> Result<int> { return run(*config); }; });
}

} // namespace

void add_daemon_commands(CLI::App& app, Session& session) {
  add_daemon(app, session, "service-manager", "run the registry and authority of a set of clusters",
             [](const std::string& config) { return node::run_service_manager(config); });
  add_daemon(app, session, "master", "run the master of a cluster",
             [](const std::string& config) { return node::run_master(config); });
  add_daemon(app, session, "worker", "run a worker of a cluster",
             [](const std::string& config) { return node::run_worker(config); });
}

} // namespace tcfdl::cli
