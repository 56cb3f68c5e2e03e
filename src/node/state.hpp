// What a daemon keeps across restarts: one JSON file of small values, private to its owner, and a lock.
#pragma once

#include "base/fd.hpp"
#include "base/reserved_port.hpp"
#include "base/result.hpp"
#include "crypto/signature.hpp"
#include "message_queue/nkey.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

namespace tcfdl::node {

/// One daemon a state directory. Used by one thread.
class NodeState {
public:
  /// Makes the directory, locks it, reads what is there. FAILED_PRECONDITION names the pid of another daemon that has
  /// it.
  static Result<NodeState> open(const std::filesystem::path& directory);

  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

  /// A value kept from before, or the one that `make` gives, which is kept from now on.
  Result<std::string> keep(const std::string& key, const std::function<Result<std::string>()>& make);
  [[nodiscard]] std::string get(const std::string& key) const;
  Status set(const std::string& key, const std::string& value);

  /// A TCP port: the one asked for, or one that was free when it was first needed; no other daemon chooses it while
  /// this lives.
  Result<std::uint16_t> port(const std::string& key, std::uint16_t asked);
  /// A random secret of 32 bytes as text.
  Result<std::string> secret(const std::string& key);
  /// A NATS key of the daemon's own.
  Result<message_queue::Nkey> nats_key(const std::string& key, message_queue::NkeyKind kind);
  /// The daemon's signing key.
  Result<crypto::SigningKey> signing_key() { return key("signing_key"); }
  /// The key of its TLS servers, which other processes hold too.
  Result<crypto::SigningKey> tls_key() { return key("tls_key"); }

private:
  Result<crypto::SigningKey> key(const std::string& name);
  NodeState(std::filesystem::path directory, UniqueFd lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}

  std::filesystem::path directory_;
  UniqueFd lock_;
  std::vector<ReservedPort> ports_;
  nlohmann::json values_ = nlohmann::json::object();
};

} // namespace tcfdl::node
