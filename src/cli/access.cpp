#include "base/file.hpp"
#include "cli/api.hpp"
#include "cli/client_tls.hpp"
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <ctime>
#include <memory>

namespace tcfdl::cli {
namespace {

struct AccessOptions {
  std::string name;
  std::string role;
  std::chrono::milliseconds lifetime{30LL * 24 * 3'600'000};
  std::string out;
};

/// A time in Unix seconds as RFC 3339 in UTC.
std::string time_text(const Json& value) {
  const auto seconds = static_cast<std::time_t>(value.get<std::int64_t>());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

Status create(const Session& session, const AccessOptions& options) {
  if (options.name.starts_with("client:") && !options.out.empty()) {
    return Error(Code::kInvalidArgument, "--out: a client shows its certificate and gets no token");
  }
  TCFDL_ASSIGN(const auto own, load_api_context(session.context));
  TCFDL_ASSIGN(auto api, Api::connect(own));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.lifetime).count();
  TCFDL_ASSIGN(auto answer,
               api.post("/v1/access", {{"name", options.name}, {"role", options.role}, {"lifetime_s", seconds}}));
  const auto token = shown(answer, "token");
  if (answer.at("token").is_null()) {
    if (session.json) print_json(answer);
    return {};
  }
  if (!options.out.empty()) {
    sdk::Context context;
    context.name = options.name;
    context.cluster = own.cluster;
    context.api_url = own.api_url;
    context.tls_root = own.tls_root;
    context.tls_server_name = own.tls_server_name;
    context.api_token = token;
    TCFDL_TRY(sdk::write_context(context, std::filesystem::absolute(options.out)));
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

Status list_access(const Session& session) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get("/v1/access"));
  if (session.json) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "ROLE", "CREATED", "EXPIRES"}};
  for (const auto& entry : answer.at("access")) {
    rows.push_back(
        {shown(entry, "name"), shown(entry, "role"), time_text(entry.at("created")), time_text(entry.at("expires"))});
  }
  print(table(rows));
  return {};
}

Status revoke_access(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_TRY(api.remove("/v1/access/" + name));
  if (session.json) print_json({{"revoked", name}});
  return {};
}

Status audit(const Session& session, std::int64_t limit) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get(fmt::format("/v1/audit?limit={}", limit)));
  if (session.json) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows{{"TIME", "WHO", "ROLE", "FROM", "ACTION", "OBJECT", "ALLOWED", "OUTCOME"}};
  for (const auto& record : answer.at("records")) {
    rows.push_back({time_text(record.at("time")), shown(record, "who"), shown(record, "role"), shown(record, "from"),
                    shown(record, "action"), shown(record, "object"), record.at("allowed") == true ? "yes" : "no",
                    shown(record, "outcome")});
  }
  print(table(rows));
  return {};
}

void add_create(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("create", "give somebody access; prints the token, if there is one");
  auto options = std::make_shared<AccessOptions>();
  command
      ->add_option("name", options->name,
                   "of the person or program; client:NAME for an enrolled client, whose certificate is its token")
      ->required();
  command->add_option("--role", options->role, "viewer, caller, deployer or admin; each may all that those before may")
      ->required()
      ->check(CLI::IsMember({"viewer", "caller", "deployer", "admin"}));
  add_duration(*command, "--lifetime", options->lifetime, "until the token is of no use; default 720h");
  command->add_option("--out", options->out, "write a context with the token there, for `--context ./FILE`")
      ->type_name("FILE");
  command->callback(session.run([&session, options] { return create(session, *options); }));
}

} // namespace

void add_access_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("access", "who may administer the cluster")->require_subcommand(1);
  add_create(*group, session);
  group->add_subcommand("list", "who has access, and until when")->callback(session.run([&session] {
    return list_access(session);
  }));
  auto name = std::make_shared<std::string>();
  auto* ended = group->add_subcommand("revoke", "end somebody's access at once");
  ended->add_option("name", *name, "as `access list` has it")->required();
  ended->callback(session.run([&session, name] { return revoke_access(session, *name); }));
  auto limit = std::make_shared<std::int64_t>(50);
  auto* records = app.add_subcommand("audit", "who did what to which, and whether it was allowed; newest first");
  records->add_option("--limit", *limit, "records at most")->check(CLI::Range(1, 10'000));
  records->callback(session.run([&session, limit] { return audit(session, *limit); }));
}

} // namespace tcfdl::cli
