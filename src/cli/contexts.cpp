#include "cli/command.hpp"
#include "sdk/context.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

Json public_part(const sdk::Context& context) {
  return {{"name", context.name},
          {"cluster", context.cluster},
          {"client", context.client},
          {"api_url", context.api_url},
          {"gateway_url", context.gateway_url},
          {"tasks_address", context.tasks_address},
          {"tls_server_name", context.tls_server_name},
          {"current", context.name == sdk::current_context()}};
}

Status list_contexts(const Session& session) {
  auto documents = Json::array();
  std::vector<std::vector<std::string>> rows{{"", "NAME", "CLUSTER", "API"}};
  for (const auto& name : sdk::list_contexts()) {
    const auto context = sdk::load_context(name);
    if (!context) {
      documents.push_back({{"name", name}, {"error", context.error().to_string()}});
      rows.push_back({"!", name, context.error().to_string()});
      continue;
    }
    documents.push_back(public_part(*context));
    rows.push_back({name == sdk::current_context() ? "*" : "", name, context->cluster, context->api_url});
  }
  if (session.json) {
    print_json({{"contexts", documents}});
  } else {
    print(table(rows));
  }
  return {};
}

Status show_context(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(name.empty() ? session.context : name));
  const auto document = public_part(context);
  if (session.json) {
    print_json(document);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : document.items()) rows.push_back({key, shown(document, key.c_str())});
  print(table(rows));
  return {};
}

Status print_root(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(name.empty() ? session.context : name));
  if (context.tls_root.empty()) {
    return make_error(Code::kNotFound, "context {} has no root: its API is {}", context.name, context.api_url);
  }
  print(context.tls_root);
  return {};
}

Status use(const Session& session, const std::string& name) {
  TCFDL_TRY(sdk::load_context(name));
  TCFDL_TRY(sdk::set_current_context(name));
  if (session.json) print_json({{"current", name}});
  return {};
}

} // namespace

void add_context_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("context", "which clusters this user reaches")->require_subcommand(1);
  group->add_subcommand("list", "all contexts")->callback(session.run([&session] { return list_contexts(session); }));
  auto name = std::make_shared<std::string>();
  auto* chosen = group->add_subcommand("use", "make a context the current one");
  chosen->add_option("name", *name, "its name")->required();
  chosen->callback(session.run([&session, name] { return use(session, *name); }));
  auto* shown_command = group->add_subcommand("show", "one context without its secrets");
  shown_command->add_option("name", *name, "its name; the current one if absent");
  shown_command->callback(session.run([&session, name] { return show_context(session, *name); }));
  auto* root = group->add_subcommand("root", "the authority's certificate in PEM, as curl's --cacert wants it");
  root->add_option("name", *name, "of the context; the current one if absent");
  root->callback(session.run([&session, name] { return print_root(session, *name); }));
  add_context_tls_command(*group, session);
}

} // namespace tcfdl::cli
