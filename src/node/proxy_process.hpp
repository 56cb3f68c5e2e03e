// The node's TEE proxy as a child process: commands to it, its events back, a new one when it dies.
#pragma once

#include "instance_manager/ports.hpp"
#include "node/proxy_channel.hpp"
#include "wire/request_line.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <thread>

namespace tcfdl::node {

struct ProxyProcessSettings {
  std::vector<std::string> command; ///< tcfdl-proxy with its arguments, or what runs it in an enclave
  std::filesystem::path log;
  std::string node;
  wire::Address instances; ///< where instances attach
  bool over_tcp = false;   ///< the lines to it are connections on loopback, not descriptors that it inherits
};

/// What the process tells; called on its event thread.
class ProxyEvents {
public:
  virtual ~ProxyEvents() = default;
  virtual void on_exited(const wire::InstanceExited& event) = 0;
  /// Passes an AuthorityRequest on and returns the AuthorityReply.
  virtual Result<Bytes> on_authority(BytesView request, Deadline deadline) = 0;
  /// The proxy was started anew: every instance of the one before is gone.
  virtual void on_restarted() = 0;
  virtual void on_spans(const wire::Spans& spans) = 0;
};

/// One thread of its own starts the process and is its parent for life (the process dies with it), serves its events
/// and starts another with back-off when it dies; another passes on what it asks the authority. Commands may come from
/// any thread; they take turns.
class ProxyProcess final : public instance_manager::Proxy {
public:
  ProxyProcess(ProxyProcessSettings settings, ProxyEvents& events);
  ProxyProcess(const ProxyProcess&) = delete;
  ProxyProcess& operator=(const ProxyProcess&) = delete;
  ~ProxyProcess() override { stop(); }

  /// Returns when the proxy has its lines. NOT_FOUND without the program, UNAVAILABLE when it ends before.
  Status start();
  /// Ends the process and with it its instances. Idempotent.
  void stop() noexcept;

  /// `nonce`: 32 bytes, or empty for one of the proxy's choice. A proxy that dies meanwhile is asked when it is back.
  Result<wire::ProxyEnrolment> enrolment(BytesView nonce = {});
  /// Gives the proxy its identity, now and after every restart.
  Status set_identity(const wire::ProxyIdentity& identity);
  /// Layers of the software TEE on this node, as the proxy found them; known once it has its identity.
  [[nodiscard]] std::vector<std::string> layers() const;
  /// Instances that can start without the authority.
  [[nodiscard]] std::vector<wire::InstanceSlot> slots() const;
  /// Where instances attach and paths pass.
  [[nodiscard]] const wire::Address& address() const noexcept { return settings_.instances; }
  /// Gives the proxy a RevocationList, which it checks; the number that it knows now.
  Result<std::uint64_t> set_revocations(const wire::Signed& list);
  /// Of the list that the proxy knows.
  [[nodiscard]] std::uint64_t revocation_number() const noexcept { return revocations_.load(); }
  Result<wire::ProxyReply> entry(const wire::ProxyRequest& request, Deadline deadline);
  /// What the proxy did since its start.
  Result<wire::ProxyFigures> figures(Deadline deadline);

  Result<wire::LaunchedInstance> launch(const wire::LaunchInstance& order, Deadline deadline) override;
  Status kill(const InstanceId& instance) override;

private:
  using Commands = wire::RequestLine<wire::ProxyCommandReply>;
  using CommandsPtr = std::shared_ptr<Commands>;
  struct Child {
    HostProcess process;
    ProxyLines lines;
  };

  void supervise();
  Result<Child> spawn();
  void note_process(pid_t pid);
  void run(Child child);
  /// Answers events until the proxy is gone.
  void serve(wire::Connection& events);
  Result<wire::ProxyCommandReply> command(const wire::ProxyCommand& command, Deadline deadline);
  /// Null while there is no process.
  [[nodiscard]] CommandsPtr current() const;
  /// Replaces a process that hangs.
  void note_answer(const CommandsPtr& commands, bool answered);
  /// Ends the process of these commands, for another to follow.
  void replace(const CommandsPtr& commands);
  /// The error of a command, with the end of the proxy that it was sent to.
  Error ended(const Error& error, const CommandsPtr& commands);
  /// Whether there is a proxy before the deadline.
  bool await(Deadline deadline);
  Status restore_identity();

  const ProxyProcessSettings settings_;
  ProxyEvents& events_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  CommandsPtr commands_; // guarded by mutex_, as are those down to `identity_`; nullptr while there is no process
  pid_t pid_ = -1;       // -1 once its end is waited for
  std::optional<Deadline::Clock::time_point> silent_since_; // nothing: it answers
  std::optional<Error> not_started_;                        // the newest failure
  std::string last_end_;                                    // of the process before
  std::vector<std::string> layers_;
  std::vector<wire::InstanceSlot> slots_;
  std::optional<wire::ProxyIdentity> identity_;
  std::atomic<std::uint64_t> revocations_ = 0;
  bool stopping_ = false; // guarded by mutex_
  std::thread thread_;
};

} // namespace tcfdl::node
