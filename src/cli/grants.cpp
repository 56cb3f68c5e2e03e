// `tcfdl grant`: what the clients of the cluster may call.
#include "cli/api.hpp"
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

struct GrantOptions {
  std::string client;
  std::vector<std::string> functions;
};

void print_clients(const Json& clients) {
  std::vector<std::vector<std::string>> rows{{"CLIENT", "GRANTS"}};
  for (const auto& client : clients) rows.push_back({shown(client, "name"), shown(client, "grants")});
  print(table(rows));
}

/// `kind`: add or remove.
Status change_grants(const Session& session, const std::string& kind, const GrantOptions& options) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.post("/v1/grants", {{"client", options.client}, {kind, options.functions}}));
  if (session.json) {
    print_json(answer);
  } else {
    print_clients(Json::array({answer}));
  }
  return {};
}

Status list_grants(const Session& session) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get("/v1/clients"));
  if (session.json) {
    print_json(answer);
  } else {
    print_clients(answer.at("clients"));
  }
  return {};
}

} // namespace

void add_grant_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("grant", "which client may call what")->require_subcommand(1);
  const auto add_change = [&](const std::string& kind, const std::string& help) {
    auto* command = group->add_subcommand(kind, help);
    auto options = std::make_shared<GrantOptions>();
    command->add_option("CLIENT", options->client, "its name")->required();
    command->add_option("FUNCTION", options->functions, "names, or prefixes that end in *")->required();
    command->callback(session.run([&session, kind, options] { return change_grants(session, kind, *options); }));
  };
  add_change("add", "let a client call further functions, at once");
  add_change("remove", "take grants back, at once");
  auto* list = group->add_subcommand("list", "the clients of the cluster and what each may call");
  list->callback(session.run([&session] { return list_grants(session); }));
}

} // namespace tcfdl::cli
