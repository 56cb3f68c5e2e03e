#include "base/file.hpp"
#include "cli/client_state.hpp"
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

/// Gives the group.
CLI::App& add_revoke(CLI::App& app, Session& session, const std::string& kind, const std::string& group_help,
                     const std::string& help) {
  auto* group = app.add_subcommand(kind, group_help)->require_subcommand(1);
  auto* command = group->add_subcommand("revoke", help);
  auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "its name")->required();
  command->callback(session.run([&session, kind, name] { return revoke(session, kind, *name); }));
  return *group;
}

struct EnrolOptions {
  std::string ready;
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
  TCFDL_ASSIGN(const auto text, read_text_file(given, 8192));
  return wire::parse_enrolment_token(text);
}

/// Where the cluster is, in a context without a client, from the options or from the master's ready file.
Result<sdk::Context> wanted_place(const EnrolOptions& options) {
  if (!options.ready.empty()) {
    TCFDL_ASSIGN(const auto text, read_text_file(options.ready));
    return place_of(options.name, nlohmann::json::parse(text, nullptr, false));
  }
  sdk::Context place;
  place.name = options.name;
  place.cluster = options.cluster;
  place.api_url = options.api;
  place.api_token = options.api_token;
  place.gateway_url = options.gateway_url;
  place.gateway_token = options.gateway_token;
  place.tasks_address = options.tasks_address;
  place.tasks_token = options.tasks_token;
  return place;
}

Status enrol(const Session& session, const EnrolOptions& options) {
  TCFDL_ASSIGN(auto context, wanted_place(options));
  auto given = options.token;
  if (given.empty()) {
    TCFDL_ASSIGN(auto api, Api::connect(context));
    TCFDL_ASSIGN(given, create_token(api, "client", std::chrono::seconds(600)));
  }
  TCFDL_ASSIGN(const auto token, read_token(given));
  TCFDL_TRY(read_trust(token, context));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto client, enrol_client(api, token, options.name, ClientKeys::generate()));
  context.client = client.client;
  context.signing_key = client.signing_key;
  context.seal_key = client.seal_key;
  context.certificate = client.certificate;
  context.authority_key = client.authority_key;
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
  command->add_option("--token", options->token, "the token, or the file that holds it");
  command->add_option("--ready", options->ready, "the master's ready file: makes the token, too");
  command->add_option("--api", options->api, "the master's API, http://127.0.0.1:PORT or https://HOST:PORT");
  command->add_option("--name", options->name, "of this client and of its context")->required();
  command->add_option("--cluster", options->cluster, "of the master");
  command->add_option("--api-token", options->api_token, "admits to the API");
  command->add_option("--tasks", options->tasks_address, "the task manager, tcp:127.0.0.1:PORT or tls:HOST:PORT");
  command->add_option("--tasks-token", options->tasks_token, "admits to the task manager");
  command->add_option("--gateway", options->gateway_url, "the gateway, http://127.0.0.1:PORT or https://HOST:PORT");
  command->add_option("--gateway-token", options->gateway_token, "admits to the gateway");
  command->callback([options, act = session.run([&session, options] { return enrol(session, *options); })] {
    if (options->ready.empty() && (options->token.empty() || options->api.empty())) {
      throw CLI::RequiredError("--token and --api, or --ready");
    }
    act();
  });
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
  auto& nodes = add_revoke(app, session, "node", "the nodes of a cluster", "end a worker's enrolment, at once");
  add_node_drain_commands(nodes, session);
  add_revoke(app, session, "instance", "the instances of a cluster", "void an instance's certificate and keys");
  add_revoke(app, session, "client", "the clients of a cluster", "end a client's enrolment and void its keys");
}

} // namespace tcfdl::cli
