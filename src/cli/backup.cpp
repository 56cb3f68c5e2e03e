#include "node/backup.hpp"

#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

struct BackupOptions {
  std::string state;
  std::string backup;
};

void tell(const Session& session, const node::BackupReport& report, const std::string& made) {
  if (session.json) return print_json({{"files", report.files}, {"bytes", report.bytes}, {"made", made}});
  print(fmt::format("{}: {} files, {} bytes\n", made, report.files, report.bytes));
}

} // namespace

void add_backup_commands(CLI::App& app, Session& session) {
  auto options = std::make_shared<BackupOptions>();
  auto* backing = app.add_subcommand("backup", "copy what a daemon keeps, while it runs; the copy holds its secrets");
  backing->add_option("--state", options->state, "the daemon's state directory")->required()->type_name("DIR");
  backing->add_option("--out", options->backup, "a directory that does not exist")->required()->type_name("DIR");
  backing->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto report, node::back_up(options->state, options->backup));
    tell(session, report, options->backup);
    return {};
  }));
  auto* restoring = app.add_subcommand("restore", "make a state directory of a backup");
  restoring->add_option("--from", options->backup, "what `backup` made")->required()->type_name("DIR");
  restoring->add_option("--state", options->state, "a directory that does not exist or is empty")
      ->required()
      ->type_name("DIR");
  restoring->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto report, node::restore(options->backup, options->state));
    tell(session, report, options->state);
    return {};
  }));
}

} // namespace tcfdl::cli
