// A node that hosts instances, be it a worker or a master: proxy, instances, their connections, the voice to the
// master.
#pragma once

#include "collaboration/relay_server.hpp"
#include "instance_manager/agent_server.hpp"
#include "instance_manager/node_instances.hpp"
#include "instance_manager/pool_executor.hpp"
#include "node/bundle_cache.hpp"
#include "node/config.hpp"
#include "node/pace.hpp"
#include "node/proxy_process.hpp"
#include "node/state.hpp"
#include "wire/held_certificate.hpp"
#include "wire/listener.hpp"

namespace tcfdl::node {

struct HostSettings {
  HostConfig config;
  std::string role; ///< `master` or `worker`, as reported
  std::string cluster;
  bool hosts = true;   ///< reports itself as a place for instances
  wire::Address agent; ///< where instances report
  std::string tasks;   ///< address of the task manager, for instances
  std::string tasks_token;
  wire::HeldCertificate proxy_certificate;
  Bytes authority_key;
  wire::SpanBuffer* spans = nullptr; ///< exports spans; nullptr: nobody does
};

/// The program of that name in the directory of the running one.
Result<std::filesystem::path> program_beside_this(const std::string& name);

/// What every instance of a host finds in its environment.
std::map<std::string, std::string> host_environment(const HostSettings& settings);

/// The directory where a host's sockets lie, short, since socket paths are. Its parent is private; it is not itself, so
/// that instances that run as other users reach the sockets when they are shown the directory.
std::filesystem::path runtime_directory(const std::filesystem::path& state);

/// Where local connections of a host are: Unix sockets in its runtime directory, or a loopback port kept in its state.
Result<wire::Address> local_address(const HostConfig& config, NodeState& state, const std::string& name);

/// Settings of a host's proxy process.
Result<ProxyProcessSettings> proxy_settings(const HostConfig& config, NodeState& state);

/// `start` and `stop` from one thread. The bus outlives it; the proxy was started before.
class Host final : public instance_manager::Reporter {
public:
  Host(HostSettings settings, message_queue::Bus& bus, ProxyProcess& proxy, FetchFile fetch);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() override { stop(); }

  Status start();
  void stop() noexcept;

  /// A connection to an instance of this node or, on a master, of this cluster; through this node's proxy and those
  /// that follow where the relay asks for it. NOT_FOUND for an instance that is not here.
  Result<std::unique_ptr<wire::Connection>> open(const wire::OpenRelay& relay);

  /// The instances of this node.
  [[nodiscard]] std::vector<wire::InstanceStatus> instances() const { return instances_.status(); }

  void on_exited(const wire::InstanceExited& event) { instances_.exited(event); }
  /// Every process of the old proxy is gone with it.
  void on_proxy_restarted();

  void instances_changed() override;
  void task_event(const wire::TaskEvent& event) override;
  void spans(const InstanceId& instance, const wire::Spans& spans) override;
  /// Spans of this node's proxy.
  void on_spans(const wire::Spans& spans);

private:
  void report_loop();
  void send_status(std::chrono::milliseconds next_within, bool whole);
  void send_events(std::vector<wire::TaskEvent> events);
  [[nodiscard]] wire::NodeStatus status();
  Result<Bytes> handle_command(BytesView bytes);
  void handle_revocations(BytesView bytes);
  Result<std::unique_ptr<wire::Connection>> open_onward(const wire::OpenRelay& relay);
  Result<std::unique_ptr<wire::Connection>> open_instance(const std::string& instance);
  Result<std::unique_ptr<wire::Connection>> open_node(const wire::OpenRelay& relay, Deadline deadline);
  static instance_manager::NodeInstancesSettings instance_settings(const HostSettings& settings);

  const HostSettings settings_;
  const std::uint64_t boot_;
  const std::string tee_kind_; // as the authority certified it
  message_queue::Bus& bus_;
  ProxyProcess& proxy_;
  BundleCache bundles_;
  instance_manager::PoolExecutor executor_;
  instance_manager::NodeInstances instances_;
  instance_manager::AgentServer agents_;
  std::unique_ptr<wire::Listener> agent_listener_;
  std::unique_ptr<collaboration::RelayServer> relay_;
  message_queue::Subscription commands_;
  message_queue::Subscription revocations_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<wire::TaskEvent> events_;             // guarded by mutex_
  bool changed_ = true;                             // guarded by mutex_
  bool stopping_ = false;                           // guarded by mutex_
  Pace pace_{{}, std::chrono::steady_clock::now()}; // the reporter's, as those below
  std::string told_;                                ///< what does not change by itself of the last whole status
  unsigned unchanged_since_ = 0;                    ///< reports since that one
  /// Leases that were reported to have started and not to have ended, with their instances. The reporter's.
  std::map<std::string, std::string> running_;
  std::thread reporter_;
};

} // namespace tcfdl::node
