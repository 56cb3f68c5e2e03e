#include "base/version.hpp"
#include "cli/command.hpp"

#include <CLI/CLI.hpp>

namespace tcfdl::cli {
namespace {

/// Words that may follow a command: its subcommands and long options.
std::string words_of(const CLI::App& app) {
  std::string words = "--help --json --context";
  for (const auto* command : app.get_subcommands({})) words += " " + command->get_name();
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

void add_cases(const CLI::App& app, const std::string& path, std::string& text) {
  text += fmt::format("    '{}') words='{}' ;;\n", path, words_of(app));
  for (const auto* command : app.get_subcommands({})) add_cases(*command, path + " " + command->get_name(), text);
}

std::string bash_completion(const CLI::App& app) {
  std::string cases;
  add_cases(app, "tcfdl", cases);
  return "_tcfdl() {\n"
         "  local path=tcfdl word words=''\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case $word in -*|*/*|*.*) ;; *) path+=\" $word\" ;; esac\n"
         "  done\n"
         "  case $path in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _tcfdl tcfdl\n";
}

} // namespace

void add_completion_command(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("completion", "completion for a shell")->require_subcommand(1);
  group->add_subcommand("bash", "put its output where bash reads completions")
      ->callback(session.run([&app]() -> Status {
        print(bash_completion(app));
        return {};
      }));
  app.add_subcommand("version", "the version of this program")->callback(session.run([&session]() -> Status {
    if (session.json) {
      print_json({{"version", kVersion}});
    } else {
      print(fmt::format("tcfdl {}\n", kVersion));
    }
    return {};
  }));
}

} // namespace tcfdl::cli
