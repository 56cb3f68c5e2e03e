// An instance: from the environment of its process to served tasks.
#pragma once

#include "sdk/confidential_files.hpp"
#include "sdk/server_tls.hpp"
#include "sdk/task_server.hpp"
#include "wire/listener.hpp"
#include "wire/request_line.hpp"

namespace tcfdl::sdk {

/// What the platform tells a process that it starts. docs/formats/instance_environment.md.
struct InstanceEnvironment {
  std::string instance;
  std::string function; ///< empty for a gateway
  std::string cluster;
  std::string node;
  std::string authority;   ///< SHA-256 of its key, hexadecimal
  wire::Address proxy;     ///< the node's TEE proxy
  std::string proxy_token; ///< admits this process there, once
  wire::Address agent;     ///< the node's daemon
  std::string agent_token;
  wire::Address tasks; ///< the cluster's task manager
  std::string tasks_token;
  std::string run_directory;    ///< for a Unix socket; empty: there are none here
  std::string listen;           ///< numeric IPv4 where other nodes reach it; empty: nowhere
  wire::PortRange listen_ports; ///< there; 0: any
  ContentPlaces content;        ///< of its confidential files; empty: it has none
  unsigned concurrency = 1;

  /// Reads TCFDL_* variables. FAILED_PRECONDITION names the missing one: the process was not started by the platform.
  static Result<InstanceEnvironment> read();
};

/// The node's TEE proxy over its local connection. Thread-safe: requests take turns.
class ProxyClient final : public Proxy {
public:
  static Result<std::unique_ptr<ProxyClient>> connect(const wire::Address& address, Deadline deadline);
  Result<wire::ProxyReply> request(const wire::ProxyRequest& request, Deadline deadline) override;

private:
  explicit ProxyClient(std::unique_ptr<wire::Connection> connection) : line_(std::move(connection)) {}
  wire::RequestLine<wire::ProxyReply> line_;
};

/// What attaching to the proxy gave.
struct Attachment {
  Identity identity;
  TlsChain tls_chain;
  std::optional<ProcessorKey> processor = {}; ///< none for a gateway
  wire::Descriptor descriptor = {};           ///< of the function; empty for a gateway
  wire::Signed signed_descriptor = {};        ///< likewise
  Content content = {};                       ///< of the confidential files of the bundle; empty without such files
};

/// The authority's key, once the proxy has shown that it is the node's: certified by the authority whose hash the
/// environment has, and holder of the certified key. UNAUTHENTICATED otherwise.
Result<crypto::VerifyKey> meet_proxy(const InstanceEnvironment& environment, Proxy& proxy, const Clock& clock,
                                     Deadline deadline);

/// Meets the proxy, makes the instance's keys and has them certified. Errors of the proxy and the authority.
Result<Attachment> attach(const InstanceEnvironment& environment, ProxyClient& proxy, const Clock& clock,
                          Deadline deadline);

/// A process of an instance that has attached, with its confidential files open.
struct Attended {
  InstanceEnvironment environment;
  std::unique_ptr<ProxyClient> proxy;
  Attachment attachment;
};

/// Attaches an instance and opens its confidential files. Errors of `attach` and `open_confidential_files`.
Result<std::unique_ptr<Attended>> attend(InstanceEnvironment environment, const Clock& clock);

/// Has the certificate of an attached process renewed: of one that processes no tasks. Gives its next chain for TLS.
Result<TlsChain> renew_certificate(const Identity& identity, Proxy& proxy, const Clock& clock, Deadline deadline);

/// Tells the node's daemon that the instance is ready and about its tasks; hears what it is to do.
class AgentClient final : public TaskEvents {
public:
  static Result<std::unique_ptr<AgentClient>> connect(const wire::Address& address, Deadline deadline);
  Status ready(const std::string& token, const std::vector<wire::Address>& addresses);
  void report(const wire::TaskEvent& event) override;
  Status spans(const wire::Spans& spans);

  /// What the daemon wants to know or have done while tasks run.
  struct Orders {
    std::function<void(const std::string&)> recall;     ///< the burst lease of that id is wanted back
    std::function<std::chrono::milliseconds()> overdue; ///< of the task that is furthest past its deadline
  };
  /// Waits for the command to drain, and answers others until then; nullopt when the daemon is gone.
  std::optional<std::chrono::milliseconds> wait_for_drain(const Orders& orders);
  /// Ends the wait from another thread.
  void shutdown() noexcept { connection_->shutdown(); }

private:
  explicit AgentClient(std::unique_ptr<wire::Connection> connection) : connection_(std::move(connection)) {}
  void send(const wire::InstanceReport& report);

  std::unique_ptr<wire::Connection> connection_;
  std::mutex mutex_; // one sender at a time
};

/// Where spans of this process are collected, if the daemon that started it wants them: TCFDL_TRACING has the share of
/// traces that begin here which are recorded. nullptr: it does not.
std::unique_ptr<wire::SpanBuffer> spans_as_told(const std::string& service, wire::SpanBuffer::Send send);

/// Runs an instance until it is drained or its daemon is gone.
Status run_instance(Attended& instance, Work work);

} // namespace tcfdl::sdk
