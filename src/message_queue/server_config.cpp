#include "message_queue/server_config.hpp"

#include "message_queue/nats_jwt.hpp"

namespace tcfdl::message_queue {
namespace {

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
  TCFDL_ASSIGN(const auto access, trust_section(settings.trust));
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
