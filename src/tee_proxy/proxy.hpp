// The TEE proxy: the trusted half of a node's security manager (paper, sections 2.4.6 and 3.2).
#pragma once

#include "base/clock.hpp"
#include "tee_proxy/attesters.hpp"
#include "tee_proxy/hops.hpp"
#include "tee_proxy/keys.hpp"
#include "tee_proxy/launches.hpp"
#include "tee_proxy/ports.hpp"
#include "tee_proxy/sender_key_store.hpp"
#include "tee_proxy/slots.hpp"
#include "wire/known_names.hpp"
#include "wire/listener.hpp"
#include "wire/tracing.hpp"

#include <atomic>
#include <filesystem>

namespace tcfdl::tee_proxy {

struct ProxySettings {
  std::filesystem::path state; ///< keys
  std::string node;
  wire::Address instances; ///< where instances attach
  TeeSettings tee;         ///< whose evidence it gives
  tee::Sandbox sandbox = tee::Sandbox::none();
};

/// What a proxy tells whom it serves, on threads of its own.
struct ProxyCallbacks {
  Launches::OnExit on_exit;
  std::function<void(const wire::PreparedSlots& all)> on_slots; ///< whenever a slot comes or goes
  wire::SpanSink* spans = nullptr;                              ///< where spans of re-encryptions go; nullptr: nowhere
};

/// Thread-safe but for `launch`, which belongs to one thread (see Launches).
class TeeProxy {
public:
  /// FAILED_PRECONDITION when the TEE of the settings is not there: no other takes its place.
  static Result<std::unique_ptr<TeeProxy>> start(ProxySettings settings, Authority& authority, const Clock& clock,
                                                 ProxyCallbacks callbacks);

  /// Evidence and public keys for the node's enrolment or its renewal. `nonce`: empty for one of its own choice.
  [[nodiscard]] Result<wire::ProxyEnrolment> enrolment(BytesView nonce = {}) const;

  /// Takes what enrolment or renewal gave. UNAUTHENTICATED when the certificate is not of this proxy's keys.
  /// Reads which names and versions of functions it has seen of that authority. Errors of `wire::KnownNames::open`.
  Status set_identity(const wire::ProxyIdentity& identity);

  /// Starts a gateway, or an instance of the bundle that its owner's signed descriptor measures. INVALID_ARGUMENT for
  /// another manifest, UNAUTHENTICATED for another signature, PERMISSION_DENIED for another owner or a cluster that may
  /// not provide it, FAILED_PRECONDITION for a version below one that was seen, DATA_LOSS for a file that was changed,
  /// UNIMPLEMENTED in an SGX enclave.
  Result<wire::LaunchedInstance> launch(const wire::LaunchInstance& command);
  Status kill(const std::string& instance) { return launches_.kill(instance); }

  /// Takes a newer RevocationList: forgets keys and ends processes that it voids; the number that is known now.
  /// FAILED_PRECONDITION for a lower number or before `set_identity`, UNAUTHENTICATED for a foreign signature.
  Result<std::uint64_t> set_revocations(const wire::Signed& unverified);
  /// Of the list that is known; 0 for none.
  [[nodiscard]] std::uint64_t revocation_number() const;

  /// A request of a client, which has no proxy of its own: keys to send and to receive with, capsules to turn and those
  /// of topics to finish.
  Result<wire::ProxyReply> handle_entry(const wire::ProxyRequest& request, Deadline deadline);

  TeeProxy(const TeeProxy&) = delete;
  TeeProxy& operator=(const TeeProxy&) = delete;
  ~TeeProxy();

  /// Where its evidence comes from, for the log.
  [[nodiscard]] std::string description() const { return attester_->description(); }

  [[nodiscard]] std::vector<std::string> layers() const { return launches_.sandbox().layers(); }
  [[nodiscard]] const wire::Address& address() const { return listener_->address(); }
  /// What it did since its start.
  [[nodiscard]] wire::ProxyFigures figures() const;

private:
  /// Who speaks on an instance's connection, once it has attached.
  struct Attached {
    LaunchRecord record;
    wire::Signed certificate;
    wire::Certificate parsed;                ///< of certificate
    std::optional<wire::KeyScope> processor; ///< of the newest epoch
  };
  struct Own : HopSelf {
    std::shared_ptr<wire::KnownNames> names; ///< of functions, as the authority stated them
  };

  TeeProxy(ProxySettings settings, OwnKeys keys, Authority& authority, const Clock& clock, ProxyCallbacks callbacks);
  /// Serves a connection that waits for newer lists, until it goes.
  void serve_watch(wire::Connection& connection, wire::WatchRevocations request);
  Result<wire::ProxyReply> obtain_instance_keys(Attached& attached, Deadline deadline);
  [[nodiscard]] Result<wire::Signed> state_instance(const LaunchRecord& record, const std::string& verify_key,
                                                    const std::string& seal_key) const;
  Result<wire::InstanceKeysReply> ask_instance_keys(const wire::Signed& statement, Deadline deadline);
  Result<wire::ProxyReply> adopt_instance_keys(Attached& attached, const wire::InstanceKeysReply& granted,
                                               wire::Certificate certificate);
  /// A kind of slot, and where its processes send.
  struct Wanted {
    SlotKind kind;
    std::set<Destination> destinations = {};
  };

  void prepare_loop();
  void prepare_soon();
  Status prepare_slots(const Own& self);
  Status prepare_slots(const Wanted& wanted);
  Status add_slot(const SlotKind& kind);
  Status prepare_sending(const Slot& slot, const Destination& to);
  [[nodiscard]] bool is_void(const Slot& slot, const Own& self) const;
  [[nodiscard]] Result<wire::Certificate> check_slot(const Slot& slot, const Own& self) const;
  std::optional<wire::ProxyReply> take_slot(Attached& attached, std::string_view seal_to);
  Result<wire::ProxyReply> adopt_slot(Attached& attached, const Slot& slot, std::string_view seal_to);
  [[nodiscard]] bool has_slot(const SlotKind& kind) const;
  void tell_slots();
  void erase_void(const Own& self);
  void end_revoked(const Own& self);
  void erase_loop();
  void serve_instance(wire::Connection& connection);
  [[nodiscard]] Result<wire::ProxyReply> introduce(const wire::ProxyIntroduce& request) const;
  Result<wire::ProxyReply> handle_instance(std::optional<Attached>& attached, const wire::ProxyRequest& request,
                                           Deadline deadline);
  Result<wire::ProxyReply> attach(std::optional<Attached>& attached, const wire::ProxyAttach& request,
                                  Deadline deadline);
  Result<wire::ProxyReply> sender_keys(const wire::SenderKeys& request, Deadline deadline);
  Result<wire::SenderKeysReply> ask_sender_keys(const wire::SenderKeys& request, const wire::Certificate& caller,
                                                Deadline deadline);
  Result<wire::SenderKeysReply> check_kept(wire::SenderKeysReply kept, const wire::Certificate& caller);
  void note_destination(const LaunchRecord& record, const wire::SenderKeys& request);
  Result<wire::ProxyReply> turn(const wire::Capsule& capsule);
  Result<wire::ProxyReply> receiver_keys(const wire::ReceiverKeys& request, Deadline deadline);
  [[nodiscard]] Result<wire::ProxyReply> finish_topic(const wire::FinishTopic& request) const;
  Result<wire::ProxyReply> finish(const Attached& attached, const wire::Capsule& capsule);
  /// Turns or finishes the capsule of a request, counts it and times it. `attached`: who wants it finished.
  Result<wire::ProxyReply> reencrypt(const wire::ProxyRequest& request, const Attached* attached);
  [[nodiscard]] Status check_function(const wire::LaunchInstance& command) const;
  Status accept_function(const wire::KeyScope& scope, const wire::Signed& unverified, const LaunchRecord* instance);
  /// `epoch`: one that may be over soon; 0: the key must be of one in force.
  Result<wire::KeyScope> accept_key(const wire::KeyPackage& package, wire::KeyRole role, const std::string& holder,
                                    const wire::Signed& unverified_descriptor, const LaunchRecord* instance,
                                    std::uint32_t epoch = 0);
  Result<std::shared_ptr<const Own>> own() const;

  const ProxySettings settings_;
  const OwnKeys keys_;
  std::unique_ptr<tee::Attester> attester_; // constant after start
  Authority& authority_;
  const Clock& clock_;
  const ProxyCallbacks callbacks_;
  std::unique_ptr<Slots> slots_;                  // constant after start
  std::unique_ptr<SenderKeyStore> sender_keys_;   // constant after start
  Guarded<std::map<std::string, Wanted>> wanted_; ///< what slots are made for, by function
  Guarded<std::string> told_;                     ///< the PreparedSlots told last
  Guarded<std::shared_ptr<const Own>> own_;
  ReencryptionKeys reencryption_;
  Guarded<std::map<std::string, wire::Certificate>> running_; ///< instances that have attached, by name
  Launches launches_;
  Hops hops_;
  std::unique_ptr<wire::Listener> listener_;
  std::atomic<std::uint64_t> turned_ = 0;
  std::atomic<std::uint64_t> finished_ = 0;
  std::atomic<std::uint64_t> refused_ = 0; ///< capsules that were neither
  std::mutex mutex_;
  std::condition_variable ending_changed_;
  bool ending_ = false;  // guarded by mutex_
  bool prepare_ = false; // guarded by mutex_
  std::thread eraser_;
  std::thread preparer_;
};

} // namespace tcfdl::tee_proxy
