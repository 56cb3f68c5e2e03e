#include "message_queue/server_config.hpp"

#include "base/ipv4.hpp"
#include "message_queue/nats_jwt.hpp"

namespace tcfdl::message_queue {
namespace {

/// Bytes. Accounts have limits of their own below it. Without a number the server takes one from the room that it finds
/// at its start, and admits no account whose limit is higher: a small or full disk would keep a cluster from its start.
constexpr std::int64_t kMostStored = std::int64_t{4} << 30U;

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

/// The server (2.9) has no option for the lowest version of TLS. The suites of TLS 1.3 are not configurable in it, so a
/// list that names no other leaves nothing to agree on with an older client.
Result<std::string> tls_section(const ServerSettings& settings) {
  if (!settings.tls) return std::string();
  TCFDL_ASSIGN(const auto certificate, quoted_path(tls_certificate_file(settings)));
  TCFDL_ASSIGN(const auto key, quoted_path(tls_key_file(settings)));
  return fmt::format("tls {{\n  cert_file: {}\n  key_file: {}\n  timeout: 20\n  cipher_suites: [ "
                     "\"TLS_AES_128_GCM_SHA256\", \"TLS_AES_256_GCM_SHA384\", "
                     "\"TLS_CHACHA20_POLY1305_SHA256\" ]\n}}\n",
                     certificate, key);
}

Status check_listener(const ServerSettings& settings) {
  if (settings.port == 0) return make_error(Code::kInvalidArgument, "the message queue needs a port");
  if (!parse_ipv4(settings.host)) {
    return make_error(Code::kInvalidArgument, "the message queue listens on numeric IPv4 addresses, '{}' is none",
                      settings.host);
  }
  if (settings.tls || is_loopback(settings.host)) return {};
  return make_error(Code::kInvalidArgument, "the message queue does not listen on {} without TLS", settings.host);
}

} // namespace

bool is_loopback(const std::string& host) { return host == "localhost" || is_ipv4_loopback(host); }

Result<std::string> make_server_config(const ServerSettings& settings, std::string_view server_name) {
  TCFDL_TRY(check_listener(settings));
  TCFDL_ASSIGN(const auto tls, tls_section(settings));
  TCFDL_ASSIGN(const auto access, trust_section(settings.trust));
  TCFDL_ASSIGN(const auto store, quoted_path(store_directory(settings)));
  TCFDL_ASSIGN(const auto log, quoted_path(settings.state_directory / "nats-server.log"));
  return fmt::format("server_name: \"{}\"\n"
                     "host: \"{}\"\n"
                     "port: {}\n"
                     "max_payload: {}\n"
                     "ping_interval: \"10m\"\n" // clients that are silent for so long
                     "log_file: {}\n"
                     "jetstream {{ store_dir: {}, max_memory_store: {}, max_file_store: {} }}\n"
                     "{}{}",
                     server_name, settings.host, settings.port, settings.max_payload, log, store, kMostStored,
                     kMostStored, tls, access);
}

} // namespace tcfdl::message_queue
