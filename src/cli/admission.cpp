#include "base/file.hpp"
#include "cli/command.hpp"
#include "cli/enrolment.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

struct TokenOptions {
  std::string role;
  std::string cluster;
  std::vector<std::string> grants;
  std::chrono::milliseconds lifetime{3'600'000};
  std::string out;
};

Status create(const Session& session, const TokenOptions& options) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.lifetime).count();
  Json body{{"role", options.role}, {"lifetime_s", seconds}};
  if (!options.cluster.empty()) body["cluster"] = options.cluster;
  if (options.role == "client")
    body["grants"] = options.grants.empty() ? std::vector<std::string>{"*"} : options.grants;
  TCFDL_ASSIGN(auto answer, api.post("/v1/tokens", body));
  const auto token = shown(answer, "token");
  if (!options.out.empty()) {
    TCFDL_TRY(write_file(std::filesystem::absolute(options.out), as_bytes(token + "\n"), kPrivateFile));
    answer["token"] = nullptr;
    answer["file"] = options.out;
  }
  if (session.json) {
    print_json(answer);
  } else if (options.out.empty()) {
    print(token + "\n");
  }
  return {};
}

/// `kind`: node, instance or client.
Status revoke(const Session& session, const std::string& kind, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.post("/v1/revocations", {{kind, name}}));
  if (session.json) {
    print_json(answer);
  } else if (kind == "instance") {
    print(fmt::format("{} is revoked; another takes its place, with keys of its own\n", name));
  } else {
    print(fmt::format("{} is revoked; to admit it again, enrol it with a new key\n", name));
  }
  return {};
}

void add_revoke(CLI::App& app, Session& session, const std::string& kind, const std::string& group_help,
                const std::string& help) {
  auto* group = app.add_subcommand(kind, group_help)->require_subcommand(1);
  auto* command = group->add_subcommand("revoke", help);
  auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "its name")->required();
  command->callback(session.run([&session, kind, name] { return revoke(session, kind, *name); }));
}

struct EnrolOptions {
  std::string token;
  std::string api;
  std::string name;
  std::string api_token;
  std::string tasks_address;
  std::string tasks_token;
  std::string gateway_url;
  std::string gateway_token;
  std::string cluster;
};

/// The token itself, or the content of the file that has it.
Result<wire::EnrolmentToken> read_token(const std::string& given) {
  if (auto token = wire::parse_enrolment_token(given)) return token;
  TCFDL_ASSIGN(const auto text, read_text_file(given, 4096));
  return wire::parse_enrolment_token(text);
}

Status enrol(const Session& session, const EnrolOptions& options) {
  TCFDL_ASSIGN(const auto token, read_token(options.token));
  TCFDL_ASSIGN(auto api, Api::at(options.api, options.api_token));
  TCFDL_ASSIGN(auto context, enrol_client(api, token, options.name, ClientKeys::generate()));
  context.name = options.name;
  context.cluster = options.cluster;
  context.api_url = options.api;
  context.api_token = options.api_token;
  context.gateway_url = options.gateway_url;
  context.gateway_token = options.gateway_token;
  context.tasks_address = options.tasks_address;
  context.tasks_token = options.tasks_token;
  TCFDL_TRY(sdk::save_context(context, false));
  if (session.json) {
    print_json({{"context", context.name}, {"client", context.client}});
  } else {
    print(fmt::format("context {} is written\n", context.name));
  }
  return {};
}

void add_enrol(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("enrol", "become a client of a cluster; writes a context");
  auto options = std::make_shared<EnrolOptions>();
  command->add_option("--token", options->token, "the token, or the file that holds it")->required();
  command->add_option("--api", options->api, "the master's API, http://127.0.0.1:PORT")->required();
  command->add_option("--name", options->name, "of this client and of its context")->required();
  command->add_option("--cluster", options->cluster, "of the master");
  command->add_option("--api-token", options->api_token, "admits to the API");
  command->add_option("--tasks", options->tasks_address, "the task manager, tcp:127.0.0.1:PORT");
  command->add_option("--tasks-token", options->tasks_token, "admits to the task manager");
  command->add_option("--gateway", options->gateway_url, "the gateway, http://127.0.0.1:PORT");
  command->add_option("--gateway-token", options->gateway_token, "admits to the gateway");
  command->callback(session.run([&session, options] { return enrol(session, *options); }));
}

} // namespace

void add_admission_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("token", "who may join")->require_subcommand(1);
  auto* command = group->add_subcommand("create", "make a one-time enrolment token");
  auto options = std::make_shared<TokenOptions>();
  command->add_option("--role", options->role, "worker, client or master")
      ->required()
      ->check(CLI::IsMember({"worker", "client", "master"}));
  add_duration(*command, "--lifetime", options->lifetime, "until it is of no use; default 1h");
  command->add_option("--cluster", options->cluster, "of a new master")->type_name("NAME");
  command->add_option("--grant", options->grants, "functions that a client may call; default *");
  command->add_option("--out", options->out, "write it there, for the owner only")->type_name("FILE");
  command->callback(session.run([&session, options] { return create(session, *options); }));
  add_enrol(app, session);
  add_revoke(app, session, "node", "the nodes of a cluster", "end a worker's enrolment, at once");
  add_revoke(app, session, "instance", "the instances of a cluster", "void an instance's certificate and keys");
  add_revoke(app, session, "client", "the clients of a cluster", "end a client's enrolment and void its keys");
}

} // namespace tcfdl::cli
