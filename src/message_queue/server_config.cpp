#include "message_queue/server_config.hpp"

#include "message_queue/names.hpp"
#include "message_queue/nats_jwt.hpp"

#include <algorithm>
#include <set>

namespace tcfdl::message_queue {
namespace {

/// Removing peers, purging accounts and moving streams would otherwise be open to every user who may use JetStream.
constexpr std::string_view kForbidden =
    R"("$JS.API.ACCOUNT.PURGE.>", "$JS.API.ACCOUNT.STREAM.>", "$JS.API.SERVER.>", "$JS.API.META.>", "$SYS.>")";

Status check_credential(std::string_view text, std::string_view what) {
  const bool good = std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
  if (good && !text.empty() && text.size() <= 128) return {};
  return make_error(Code::kInvalidArgument, "message queue users: {} has 1 to 128 of A-Z a-z 0-9 _ -", what);
}

Result<std::string> quoted_path(const std::filesystem::path& path) {
  std::string quoted = "\"";
  for (const char c : path.string()) {
    if (static_cast<unsigned char>(c) < ' ') {
      return make_error(Code::kInvalidArgument, "message queue: a path has control characters");
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

Result<std::string> subject_list(const std::vector<std::string>& subjects) {
  std::string list;
  for (const auto& subject : subjects) {
    TCFDL_TRY(check_filter(subject));
    if (subject.find_first_of("\"\\") != std::string::npos) {
      return make_error(Code::kInvalidArgument, "subject `{}`: quotes cannot be granted", subject);
    }
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", subject);
  }
  return list;
}

Result<std::string> user_entry(const ServerUser& user) {
  TCFDL_TRY(check_credential(user.name, "a name"));
  TCFDL_TRY(check_credential(user.password, "a password"));
  TCFDL_ASSIGN(const auto publish, subject_list(user.publish));
  TCFDL_ASSIGN(const auto subscribe, subject_list(user.subscribe));
  std::string permissions = fmt::format("publish: {{ {}deny: [{}] }}",
                                        publish.empty() ? "" : fmt::format("allow: [{}], ", publish), kForbidden);
  if (!subscribe.empty()) permissions += fmt::format(", subscribe: {{ allow: [{}] }}", subscribe);
  if (!publish.empty()) permissions += R"(, allow_responses: { max: 1, expires: "24h" })";
  return fmt::format("    {{ user: \"{}\", password: \"{}\", permissions: {{ {} }} }}\n", user.name, user.password,
                     permissions);
}

Result<std::string> users_section(const ServerSettings& settings) {
  std::string users;
  std::set<std::string> names;
  for (const auto& user : settings.users) {
    if (!names.insert(user.name).second) {
      return make_error(Code::kInvalidArgument, "message queue user `{}` is given twice", user.name);
    }
    TCFDL_ASSIGN(const auto entry, user_entry(user));
    users += entry;
  }
  return fmt::format("authorization {{\n  users: [\n{}  ]\n}}\n", users);
}

Result<std::string> trust_section(const ServerTrust& trust) {
  TCFDL_TRY(check_jwt_form(trust.operator_jwt));
  std::string accounts;
  for (const auto& [key, jwt] : trust.accounts) {
    TCFDL_TRY(parse_public_nkey(key, NkeyKind::kAccount));
    TCFDL_TRY(check_jwt_form(jwt));
    accounts += fmt::format("  {}: {}\n", key, jwt);
  }
  // A refusal is for good at the client, so a busy machine is given time to answer the challenge.
  return fmt::format("authorization {{ timeout: 20 }}\noperator: {}\nresolver: MEMORY\nresolver_preload: {{\n{}}}\n",
                     trust.operator_jwt, accounts);
}

} // namespace

Result<std::string> make_server_config(const ServerSettings& settings, std::string_view server_name) {
  if (settings.port == 0) return make_error(Code::kInvalidArgument, "the message queue needs a port");
  const bool operated = !settings.trust.operator_jwt.empty();
  if (operated == !settings.users.empty()) {
    return make_error(Code::kInvalidArgument, "the message queue needs either users or an operator");
  }
  TCFDL_ASSIGN(const auto access, operated ? trust_section(settings.trust) : users_section(settings));
  const auto& wanted = settings.jetstream_directory;
  TCFDL_ASSIGN(const auto store, quoted_path(wanted.empty() ? settings.state_directory / "jetstream" : wanted));
  TCFDL_ASSIGN(const auto log, quoted_path(settings.state_directory / "nats-server.log"));
  return fmt::format("server_name: \"{}\"\n"
                     "host: \"127.0.0.1\"\n"
                     "port: {}\n"
                     "max_payload: {}\n"
                     "log_file: {}\n"
                     "jetstream {{ store_dir: {} }}\n"
                     "{}",
                     server_name, settings.port, settings.max_payload, log, store, access);
}

} // namespace tcfdl::message_queue
