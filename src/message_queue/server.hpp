// A NATS server as a child process of this one.
#pragma once

#include "message_queue/server_config.hpp"

#include <condition_variable>
#include <mutex>
#include <sys/types.h>
#include <thread>

namespace tcfdl::message_queue {

/// Starts the server, watches it, and starts it again with a growing delay (100 ms to 5 s) when it dies. One thread of
/// its own does all of that; it is the parent of the process, which dies with it, even when this process is killed.
/// start() and stop() come from one thread, the rest from any. The destructor stops.
class EmbeddedServer {
public:
  explicit EmbeddedServer(ServerSettings settings);
  EmbeddedServer(const EmbeddedServer&) = delete;
  EmbeddedServer& operator=(const EmbeddedServer&) = delete;
  ~EmbeddedServer();

  /// Writes the configuration and returns when the server answers. NOT_FOUND without a binary; UNAVAILABLE, naming the
  /// log, if it dies again and again; DEADLINE_EXCEEDED after `start_timeout`. After an error nothing runs. Idempotent.
  Status start();

  /// Replaces what the server believes, but its operator; INVALID_ARGUMENT for what does not fit its grammar,
  /// FAILED_PRECONDITION for another operator. Connections of users that are revoked or whose account is gone are
  /// closed by the server within a second; others are not touched. Any thread.
  Status set_trust(const ServerTrust& trust);

  /// Replaces the certificate; connections that stand are not touched. INVALID_ARGUMENT for none,
  /// FAILED_PRECONDITION for a server without TLS. Any thread.
  Status set_certificate(const std::string& pem);

  /// Asks the server to end and kills it after `stop_timeout`. Idempotent.
  void stop();

  /// The process now running; 0 if none.
  [[nodiscard]] pid_t pid() const;

  /// How often it was started again after it died.
  [[nodiscard]] std::uint64_t restarts() const;

  [[nodiscard]] const ServerSettings& settings() const noexcept { return settings_; }

private:
  void supervise();
  pid_t spawn() const;
  void wait_for_exit(pid_t child);
  void set_store_aside() const;
  bool pause(std::chrono::milliseconds delay);
  Status wait_until_ready();
  [[nodiscard]] bool answers() const;
  [[nodiscard]] std::filesystem::path config_path() const { return settings_.state_directory / "nats-server.conf"; }
  [[nodiscard]] std::filesystem::path log_path() const { return settings_.state_directory / "nats-server.log"; }

  Status write_config(const ServerTrust& trust) const;
  Status write_tls() const;
  void reload() const;

  const ServerSettings settings_;
  // written by start() before the thread begins
  std::string binary_;
  std::string server_name_;
  std::thread supervisor_;

  std::mutex trust_mutex_; // held while the configuration is replaced
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  bool stopping_ = false;
  pid_t pid_ = 0;
  std::uint64_t deaths_ = 0;
  std::string last_death_;
};

} // namespace tcfdl::message_queue
