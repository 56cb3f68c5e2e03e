// What an embedded server is started with, and the configuration file made of it.
#pragma once

#include "base/result.hpp"
#include "crypto/secret.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace tcfdl::message_queue {

/// Whom the server believes: accounts that the operator signed, and the users that they signed.
struct ServerTrust {
  std::string operator_jwt;
  /// Public nkey → JWT, the operator's system account included. All that exist: no other account may connect.
  std::map<std::string, std::string> accounts;
};

/// What the server shows to its clients. Its listener speaks TLS 1.3 and nothing else; clients are authenticated inside
/// of that by the nonce that they sign.
struct ServerTls {
  std::string certificate_pem; ///< the server's; clients have the root
  std::shared_ptr<const crypto::SecretBytes> key_pem;
};

struct ServerSettings {
  /// A path, or a name looked up in PATH and the system's sbin directories.
  std::string binary = "nats-server";
  /// Holds the configuration and the log.
  std::filesystem::path state_directory;
  /// A numeric IPv4 address to listen on; 0.0.0.0 for all of the machine.
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  /// Without it the server listens on loopback only.
  std::optional<ServerTls> tls{};
  ServerTrust trust;
  /// Empty: `jetstream` in the state directory.
  std::filesystem::path jetstream_directory;
  /// What is stored is kept elsewhere too. A store with which the server does not come up three times in a row is set
  /// aside then, as `DIRECTORY.damaged`, in place of an earlier one.
  bool store_is_copy = false;
  /// The largest message in bytes.
  std::size_t max_payload = std::size_t{1} << 20U;
  /// Bound of start().
  std::chrono::milliseconds start_timeout{10000};
  /// How long a server that was asked to end may take before it is killed.
  std::chrono::milliseconds stop_timeout{5000};
};

/// The text of the configuration file. `server_name` tells this server from a stranger on its port. INVALID_ARGUMENT
/// for anything that does not fit the file's grammar.
Result<std::string> make_server_config(const ServerSettings& settings, std::string_view server_name);

/// The files beside the configuration, whose names it has.
inline std::filesystem::path tls_certificate_file(const ServerSettings& settings) {
  return settings.state_directory / "tls-certificate.pem";
}
inline std::filesystem::path tls_key_file(const ServerSettings& settings) {
  return settings.state_directory / "tls-key.pem";
}

inline std::filesystem::path store_directory(const ServerSettings& settings) {
  const auto& wanted = settings.jetstream_directory;
  return wanted.empty() ? settings.state_directory / "jetstream" : wanted;
}

/// Whether a host is this machine alone: `localhost`, or an address of loopback.
bool is_loopback(const std::string& host);

} // namespace tcfdl::message_queue
