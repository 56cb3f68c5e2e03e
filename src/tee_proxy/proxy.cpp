#include "tee_proxy/proxy.hpp"

#include "attestation/report_data.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// How long the authority is waited for by whom an earlier answer of it serves as well.
constexpr seconds kPatienceWithKept{2};
/// Of one function, for which keys are fetched ahead.
constexpr std::size_t kMostDestinations = 64;

} // namespace

Result<std::unique_ptr<TeeProxy>> TeeProxy::start(ProxySettings settings, Authority& authority, const Clock& clock,
                                                  ProxyCallbacks callbacks) {
  TCFDL_TRY(make_private_directory(settings.state));
  TCFDL_ASSIGN(auto keys, OwnKeys::load_or_make(settings.state));
  const auto instances = settings.instances;
  std::unique_ptr<TeeProxy> proxy(
      new TeeProxy(std::move(settings), std::move(keys), authority, clock, std::move(callbacks)));
  TCFDL_ASSIGN(proxy->slots_, Slots::open(proxy->settings_.state / "slots"));
  TCFDL_ASSIGN(proxy->sender_keys_, SenderKeyStore::open(proxy->settings_.state / "sender_keys"));
  TCFDL_ASSIGN(proxy->attester_, make_attester(proxy->settings_.tee, proxy->keys_.platform, proxy->settings_.node));
  TCFDL_ASSIGN(proxy->listener_, wire::Listener::start(instances, {.name = "tee-proxy", .max_connections = 4096},
                                                       [raw = proxy.get()](wire::Connection& connection) {
                                                         raw->serve_instance(connection);
                                                       }));
  proxy->eraser_ = std::thread([raw = proxy.get()] { raw->erase_loop(); });
  proxy->preparer_ = std::thread([raw = proxy.get()] { raw->prepare_loop(); });
  return proxy;
}

TeeProxy::~TeeProxy() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_all();
  if (eraser_.joinable()) eraser_.join();
  if (preparer_.joinable()) preparer_.join();
  if (const auto self = own()) (*self)->revocations->end_waits();
}

TeeProxy::TeeProxy(ProxySettings settings, OwnKeys keys, Authority& authority, const Clock& clock,
                   ProxyCallbacks callbacks)
    : settings_(std::move(settings)), keys_(std::move(keys)), authority_(authority), clock_(clock),
      callbacks_(std::move(callbacks)), launches_(settings_.sandbox,
                                                  [this](const wire::InstanceExited& event) {
                                                    running_.with([&](auto& running) {
                                                      const auto found = running.find(event.instance());
                                                      if (found == running.end()) return;
                                                      reencryption_.erase(found->second.verify_key());
                                                      running.erase(found);
                                                    });
                                                    callbacks_.on_exit(event);
                                                  }),
      hops_(keys_.signing, [this] { return own(); }, clock) {}

Result<wire::ProxyEnrolment> TeeProxy::enrolment(BytesView nonce) const {
  const auto own_nonce = crypto::random_array<wire::kNonceSize>();
  if (nonce.empty()) nonce = own_nonce;
  if (nonce.size() != wire::kNonceSize) return Error(Code::kInvalidArgument, "the nonce has not 32 bytes");
  wire::ProxyEnrolment enrolment;
  enrolment.set_verify_key(wire::field(keys_.signing.public_key().bytes()));
  enrolment.set_seal_key(wire::field(keys_.sealing.public_key().bytes()));
  enrolment.set_nonce(wire::field(nonce));
  const auto report =
      attestation::report_data("proxy", nonce, {as_bytes(enrolment.verify_key()), as_bytes(enrolment.seal_key())});
  TCFDL_ASSIGN(*enrolment.mutable_evidence(), attester_->attest(report));
  return enrolment;
}

Status TeeProxy::set_identity(const wire::ProxyIdentity& identity) {
  TCFDL_ASSIGN(auto authority, crypto::VerifyKey::from_bytes(as_bytes(identity.authority_key())));
  TCFDL_ASSIGN(auto certificate,
               wire::verify_certificate(authority, identity.certificate(), {wire::ROLE_PROXY}, clock_.now()));
  if (certificate.verify_key() != wire::field(keys_.signing.public_key().bytes()) ||
      certificate.seal_key() != wire::field(keys_.sealing.public_key().bytes())) {
    return Error(Code::kUnauthenticated, "the certificate is for other keys than this proxy's; enrol the node anew");
  }
  std::shared_ptr<wire::KnownNames> names;
  std::shared_ptr<wire::Revocations> revocations;
  if (const auto present = own_.with([](const auto& current) { return current; })) { // a renewal
    if (!std::ranges::equal(present->authority.bytes(), authority.bytes())) {
      return Error(Code::kFailedPrecondition, "the identity is another authority's; start the proxy anew");
    }
    names = present->names;
    revocations = present->revocations;
  } else {
    TCFDL_ASSIGN(names, wire::KnownNames::open(settings_.state / "names", as_bytes(identity.authority_key())));
    TCFDL_ASSIGN(revocations, wire::Revocations::open(settings_.state / "revocations", authority));
  }
  auto own = std::make_shared<const Own>(
      Own{{identity.certificate(), certificate, std::move(authority), std::move(revocations)}, std::move(names)});
  own_.with([&](auto& current) { current = std::move(own); });
  prepare_soon();
  return {};
}

/// The daemon and its master are not trusted with what runs: the owner's signature, the measurement and the versions
/// seen before decide. What the files hold is checked when they are measured, whose name it is at attachment.
Status TeeProxy::check_function(const wire::LaunchInstance& command) const {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto descriptor, wire::check_bundle(command.descriptor(), as_bytes(command.manifest())));
  if (!wire::admits_provider(descriptor, self->parsed.cluster())) {
    return make_error(Code::kPermissionDenied,
                      "the descriptor of {} does not name cluster {} among its providers; its owner can add it",
                      descriptor.name(), self->parsed.cluster());
  }
  return self->names->check(descriptor, command.descriptor());
}

Result<wire::LaunchedInstance> TeeProxy::launch(const wire::LaunchInstance& command) {
  if (settings_.tee.tee == "gramine") {
    return make_error(Code::kUnimplemented,
                      "{} is not started: this proxy is in an SGX enclave, whose memory a program would share",
                      command.instance());
  }
  if (command.role() != wire::ROLE_GATEWAY) TCFDL_TRY(check_function(command));
  std::map<std::string, std::string> environment(command.environment().begin(), command.environment().end());
  TCFDL_ASSIGN(const auto self, own());
  environment["TCFDL_PROXY"] = wire::to_string(listener_->address());
  environment["TCFDL_AUTHORITY"] = to_hex(crypto::sha256(self->authority.bytes()));
  return launches_.launch(command, std::move(environment));
}

Result<wire::ProxyReply> TeeProxy::handle_entry(const wire::ProxyRequest& request, Deadline deadline) {
  if (request.has_sender_keys()) return sender_keys(request.sender_keys(), deadline);
  if (request.has_turn()) return reencrypt(request, nullptr);
  if (request.has_receiver_keys()) return receiver_keys(request.receiver_keys(), deadline);
  if (request.has_finish_topic()) return finish_topic(request.finish_topic());
  return Error(Code::kPermissionDenied, "an entry proxy gives keys, turns capsules and finishes those of topics only");
}

void TeeProxy::serve_instance(wire::Connection& connection) {
  std::optional<Attached> attached;
  bool introduced = false;
  for (;;) {
    // A process that has not attached gets no time to hold the connection open.
    const auto patience = attached ? Deadline::after(hours(24)) : Deadline::after(seconds(30));
    const auto request = wire::receive_message<wire::ProxyRequest>(connection, patience);
    if (!request) return;
    if (request->has_hop() && !attached) return hops_.serve(connection, request->hop());
    if (request->has_watch() && !attached) return serve_watch(connection, request->watch());
    const auto deadline = Deadline::after(seconds(20));
    const bool introduces = request->has_introduce() && !introduced && !attached;
    introduced = introduced || introduces;
    auto reply = introduces ? introduce(request->introduce()) : handle_instance(attached, *request, deadline);
    wire::ProxyReply answer;
    if (reply) {
      answer = *std::move(reply);
    } else {
      *answer.mutable_error() = wire::to_info(reply.error());
    }
    if (!wire::send_message(connection, answer, deadline)) return;
    if (!attached && !introduces) return;
  }
}

/// Shows a process that it speaks with a proxy that the authority knows.
Result<wire::ProxyReply> TeeProxy::introduce(const wire::ProxyIntroduce& request) const {
  TCFDL_ASSIGN(const auto self, own());
  if (request.nonce().size() != wire::kNonceSize) return Error(Code::kInvalidArgument, "the nonce has not 32 bytes");
  wire::ProxyReply reply;
  auto& introduced = *reply.mutable_introduced();
  *introduced.mutable_certificate() = self->certificate;
  introduced.set_authority_key(wire::field(self->authority.bytes()));
  introduced.set_proof(wire::field(wire::sign_labelled(
      keys_.signing, "ProxyIntroduced", {as_bytes(request.nonce()), as_bytes(self->certificate.statement())})));
  return reply;
}

Result<wire::ProxyReply> TeeProxy::handle_instance(std::optional<Attached>& attached, const wire::ProxyRequest& request,
                                                   Deadline deadline) {
  if (request.has_attach()) {
    if (attached) return Error(Code::kFailedPrecondition, "this process has attached already");
    return attach(attached, request.attach(), deadline);
  }
  if (!attached) return Error(Code::kUnauthenticated, "attach first");
  if (request.has_sender_keys()) {
    auto wanted = request.sender_keys();
    *wanted.mutable_certificate() = attached->certificate; // in its own name only
    auto reply = sender_keys(wanted, deadline);
    if (reply) note_destination(attached->record, wanted);
    return reply;
  }
  if (request.has_turn()) {
    TCFDL_ASSIGN(const auto header, wire::capsule_header_unverified(request.turn()));
    if (header.sender() != attached->record.instance) {
      return make_error(Code::kPermissionDenied, "{} gave a capsule of {}", attached->record.instance, header.sender());
    }
    return reencrypt(request, &*attached);
  }
  if (request.has_finish()) return reencrypt(request, &*attached);
  if (request.has_receiver_keys()) {
    auto wanted = request.receiver_keys();
    *wanted.mutable_certificate() = attached->certificate; // in its own name only
    return receiver_keys(wanted, deadline);
  }
  if (request.has_finish_topic()) {
    auto wanted = request.finish_topic();
    wanted.set_holder_key(attached->parsed.verify_key());
    return finish_topic(wanted);
  }
  if (request.has_renew()) {
    auto reply = obtain_instance_keys(*attached, deadline);
    running_.with([&](auto& running) { running.insert_or_assign(attached->record.instance, attached->parsed); });
    return reply;
  }
  return Error(Code::kUnimplemented, "the proxy does not know this request");
}

Result<wire::ProxyReply> TeeProxy::attach(std::optional<Attached>& attached, const wire::ProxyAttach& request,
                                          Deadline deadline) {
  Attached fresh;
  TCFDL_ASSIGN(fresh.record, launches_.redeem(request.token()));
  // A content key is sealed to a key that this proxy does not have: so such instances have no slots.
  const bool confidential = !fresh.record.manifest.empty();
  auto reply = confidential ? std::nullopt : take_slot(fresh, request.seal_key());
  if (!reply) {
    fresh.parsed.set_verify_key(request.verify_key());
    fresh.parsed.set_seal_key(request.seal_key());
    auto obtained = obtain_instance_keys(fresh, deadline);
    if (!obtained && obtained.error().unanswered() && has_slot(kind_of(fresh.record))) { // under another name
      launches_.note_no_identity(fresh.record.instance, "no identity: " + obtained.error().message());
    }
    TCFDL_ASSIGN(reply, std::move(obtained));
  }
  reply->mutable_attached()->set_manifest(fresh.record.manifest);
  running_.with([&](auto& running) { running.insert_or_assign(fresh.record.instance, fresh.parsed); });
  wanted_.with([&](auto& all) {
    if (confidential) {
      all.erase(fresh.record.function);
    } else {
      all[fresh.record.function].kind = kind_of(fresh.record);
    }
  });
  prepare_soon();
  attached = std::move(fresh);
  return *std::move(reply);
}

/// Certificate and keys for the keys that `attached` names, of the epoch that is in force.
Result<wire::ProxyReply> TeeProxy::obtain_instance_keys(Attached& attached, Deadline deadline) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto statement,
               state_instance(attached.record, attached.parsed.verify_key(), attached.parsed.seal_key()));
  TCFDL_ASSIGN(const auto granted, ask_instance_keys(statement, deadline));
  TCFDL_ASSIGN(auto certificate, wire::verify_certificate(self->authority, granted.certificate(),
                                                          {wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}, clock_.now()));
  if (certificate.verify_key() != attached.parsed.verify_key()) {
    return make_error(Code::kPermissionDenied, "the authority certified another key of {}", certificate.subject());
  }
  TCFDL_TRY(self->revocations->check(certificate));
  return adopt_instance_keys(attached, granted, std::move(certificate));
}

/// What this proxy says of a process that it launched.
Result<wire::Signed> TeeProxy::state_instance(const LaunchRecord& record, const std::string& verify_key,
                                              const std::string& seal_key) const {
  TCFDL_ASSIGN(const auto self, own());
  wire::InstanceStatement statement;
  statement.set_instance(record.instance);
  statement.set_function(record.function);
  statement.set_role(record.role);
  statement.set_measurement(wire::field(record.measurement));
  statement.set_verify_key(verify_key);
  statement.set_seal_key(seal_key);
  statement.set_node(settings_.node);
  statement.set_cluster(self->parsed.cluster());
  statement.set_issued(clock_.now());
  for (const auto& layer : record.layers) statement.add_layers(layer);
  return wire::sign(keys_.signing, statement);
}

Result<wire::InstanceKeysReply> TeeProxy::ask_instance_keys(const wire::Signed& statement, Deadline deadline) {
  TCFDL_ASSIGN(const auto self, own());
  wire::AuthorityRequest wanted;
  *wanted.mutable_instance_keys()->mutable_statement() = statement;
  *wanted.mutable_instance_keys()->mutable_proxy_certificate() = self->certificate;
  TCFDL_ASSIGN(auto answer, authority_.request(wanted, deadline));
  if (!answer.has_instance_keys()) return Error(Code::kInternal, "the authority gave no keys for the instance");
  return std::move(*answer.mutable_instance_keys());
}

/// Makes `certificate`, verified, and the keys that were granted with it those of a process.
Result<wire::ProxyReply> TeeProxy::adopt_instance_keys(Attached& attached, const wire::InstanceKeysReply& granted,
                                                       wire::Certificate certificate) {
  const auto& record = attached.record;
  if (certificate.subject() != record.instance) {
    return make_error(Code::kPermissionDenied, "the authority certified {}, not {}", certificate.subject(),
                      record.instance);
  }
  wire::ProxyReply reply;
  auto& result = *reply.mutable_attached();
  if (record.role == wire::ROLE_INSTANCE) {
    TCFDL_ASSIGN(attached.processor, accept_key(granted.proxy_key(), wire::KEY_ROLE_PROXY_PROCESSOR, record.instance,
                                                granted.descriptor(), &record));
    *result.mutable_processor_key() = granted.processor_key();
    if (granted.has_content_key()) *result.mutable_content_key() = granted.content_key(); // the instance opens it
  }
  *result.mutable_certificate() = granted.certificate();
  *result.mutable_descriptor() = granted.descriptor();
  *result.mutable_tls_chain() = granted.tls_chain();
  attached.certificate = granted.certificate();
  attached.parsed = std::move(certificate);
  return reply;
}

Result<wire::ProxyReply> TeeProxy::sender_keys(const wire::SenderKeys& request, Deadline deadline) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto caller,
               wire::verify_certificate(self->authority, request.certificate(),
                                        {wire::ROLE_CLIENT, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}, clock_.now()));
  TCFDL_TRY(self->revocations->check(caller));
  auto kept = sender_keys_->find(caller.verify_key(), {request.function(), request.assurance()});
  if (kept) deadline = deadline.earlier(Deadline::after(kPatienceWithKept));
  auto granted = ask_sender_keys(request, caller, deadline);
  if (!granted && kept && granted.error().unanswered()) granted = check_kept(*std::move(kept), caller);
  if (!granted) return granted.error();
  wire::ProxyReply reply;
  *reply.mutable_sender_key() = granted->sender_key();
  return reply;
}

/// The answer of now, checked and kept.
Result<wire::SenderKeysReply> TeeProxy::ask_sender_keys(const wire::SenderKeys& request,
                                                        const wire::Certificate& caller, Deadline deadline) {
  TCFDL_ASSIGN(const auto self, own());
  wire::AuthorityRequest wanted;
  auto& keys = *wanted.mutable_sender_keys();
  keys.set_function(request.function());
  keys.set_assurance(request.assurance());
  *keys.mutable_caller_certificate() = request.certificate();
  *keys.mutable_proxy_certificate() = self->certificate;
  TCFDL_ASSIGN(auto answer, authority_.request(wanted, deadline));
  if (!answer.has_sender_keys()) return Error(Code::kInternal, "the authority gave no keys to send with");
  auto& granted = *answer.mutable_sender_keys();
  TCFDL_ASSIGN(const auto scope, accept_key(granted.proxy_key(), wire::KEY_ROLE_PROXY_SENDER, caller.subject(),
                                            granted.descriptor(), nullptr));
  if (scope.function() != request.function() || scope.holder_verify_key() != caller.verify_key()) {
    return make_error(Code::kPermissionDenied, "the authority answered with keys of {} to {}, asked was {} to {}",
                      scope.holder(), scope.function(), caller.subject(), request.function());
  }
  if (const auto kept = sender_keys_->put(granted); !kept) {
    spdlog::warn("keys of {} are not kept: {}", caller.subject(), kept.error().message());
  }
  return std::move(granted);
}

/// The answer of before, while the authority is silent: for a caller that may still send there, by its certificate.
Result<wire::SenderKeysReply> TeeProxy::check_kept(wire::SenderKeysReply kept, const wire::Certificate& caller) {
  TCFDL_ASSIGN(const auto scope,
               accept_key(kept.proxy_key(), wire::KEY_ROLE_PROXY_SENDER, caller.subject(), kept.descriptor(), nullptr));
  if (!wire::grants_allow(caller, scope.function())) {
    return make_error(Code::kPermissionDenied, "{} has no grant to call {}", caller.subject(), scope.function());
  }
  spdlog::info("{} sends to {} with keys of before: the authority is silent", caller.subject(), scope.function());
  return kept;
}

/// So that the next process of that kind can send there too, without the authority.
void TeeProxy::note_destination(const LaunchRecord& record, const wire::SenderKeys& request) {
  const bool is_new = wanted_.with([&](auto& all) {
    const auto found = all.find(record.function);
    if (found == all.end() || found->second.destinations.size() >= kMostDestinations) return false;
    return found->second.destinations.insert({request.function(), request.assurance()}).second;
  });
  if (is_new) prepare_soon();
}

Result<wire::ProxyReply> TeeProxy::reencrypt(const wire::ProxyRequest& request, const Attached* attached) {
  const bool turns = request.has_turn();
  const auto parent = TraceContext::parse(request.traceparent());
  wire::OpenSpan span(callbacks_.spans, parent.value_or(TraceContext()),
                      turns ? "re-encrypt to function" : "re-encrypt to instance", wire::SPAN_KIND_SERVER);
  auto reply = turns ? turn(request.turn()) : finish(*attached, request.finish());
  span.set_outcome(reply ? Status() : Status(reply.error()));
  auto& done = turns ? turned_ : finished_;
  ++(reply ? done : refused_);
  return reply;
}

wire::ProxyFigures TeeProxy::figures() const {
  wire::ProxyFigures figures;
  figures.set_turned(turned_.load());
  figures.set_finished(finished_.load());
  figures.set_refused(refused_.load());
  const auto hops = hops_.counters();
  figures.set_hop_opened(hops.opened);
  figures.set_hop_sealed(hops.sealed);
  return figures;
}

Result<wire::ProxyReply> TeeProxy::turn(const wire::Capsule& capsule) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto header, wire::capsule_header_unverified(capsule));
  const auto now = clock_.now();
  TCFDL_TRY(self->revocations->check(self->parsed));
  TCFDL_TRY(self->revocations->check_key(header.sender_key(), header.sender()));
  TCFDL_TRY(self->revocations->check_in_force(header.function(), header.epoch()));
  const auto key = reencryption_.find(wire::KEY_ROLE_PROXY_SENDER, header.sender_key(), header.function(),
                                      header.assurance(), header.epoch(), now);
  if (!key) {
    return make_error(Code::kFailedPrecondition, "this proxy has no key of {} to {}; ask for keys first",
                      header.sender(), header.function());
  }
  wire::ProxyReply reply;
  TCFDL_ASSIGN(*reply.mutable_capsule(), wire::turn_capsule(capsule, *key, keys_.signing, self->certificate, now));
  return reply;
}

Result<wire::ProxyReply> TeeProxy::finish(const Attached& attached, const wire::Capsule& capsule) {
  TCFDL_ASSIGN(const auto self, own());
  if (!attached.processor) return Error(Code::kPermissionDenied, "this process processes no function's tasks");
  const auto now = clock_.now();
  TCFDL_TRY(self->revocations->check(self->parsed));
  TCFDL_TRY(self->revocations->check(attached.parsed));
  // What this reads is verified below, by the same bytes.
  TCFDL_ASSIGN(const auto header, wire::capsule_header_unverified(capsule));
  if (!header.instance().empty() && header.instance() != attached.record.instance) {
    return make_error(Code::kPermissionDenied, "the capsule is for {} alone, not for {}", header.instance(),
                      attached.record.instance);
  }
  TCFDL_TRY(self->revocations->check_key(header.sender_key(), header.sender()));
  TCFDL_ASSIGN(const auto turner, wire::parse<wire::Certificate>(capsule.proxy_certificate().statement()));
  TCFDL_TRY(self->revocations->check(turner));
  TCFDL_TRY(self->revocations->check_epoch(attached.processor->function(), header.epoch(), now));
  const auto key =
      reencryption_.find(wire::KEY_ROLE_PROXY_PROCESSOR, attached.parsed.verify_key(), attached.processor->function(),
                         attached.processor->assurance(), header.epoch(), now);
  if (!key) {
    return make_error(Code::kFailedPrecondition, "{} has no key of epoch {} of {}, or it has expired",
                      attached.record.instance, header.epoch(), attached.processor->function());
  }
  wire::ProxyReply reply;
  TCFDL_ASSIGN(*reply.mutable_capsule(), wire::finish_capsule(capsule, *key, self->authority, now));
  return reply;
}

/// Takes the descriptor that belongs to a key: it must be of the owner that the authority states, of what was launched,
/// and not older than one that was seen before.
Status TeeProxy::accept_function(const wire::KeyScope& scope, const wire::Signed& unverified,
                                 const LaunchRecord* instance) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(const auto descriptor, wire::check_descriptor(unverified));
  if (instance != nullptr &&
      (instance->function != descriptor.name() || as_text(instance->measurement) != descriptor.measurement())) {
    return make_error(Code::kPermissionDenied, "{} runs {}, the authority's descriptor is of another bundle",
                      instance->instance, instance->function);
  }
  return self->names->accept(scope, descriptor, unverified);
}

/// Opens a re-encryption key sealed to this proxy, for the holder and the function that were asked for, and keeps it.
Result<wire::KeyScope> TeeProxy::accept_key(const wire::KeyPackage& package, wire::KeyRole role,
                                            const std::string& holder, const wire::Signed& unverified_descriptor,
                                            const LaunchRecord* instance, std::uint32_t epoch) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(auto scope, wire::verify_key_package(self->authority, package, clock_.now()));
  if (scope.role() != role || scope.holder() != holder ||
      scope.recipient_key() != wire::field(keys_.sealing.public_key().bytes())) {
    return make_error(Code::kPermissionDenied, "the authority sent a key of {} as {}, wanted was {}", scope.holder(),
                      wire::KeyRole_Name(scope.role()), holder);
  }
  // An answer of the authority from before, which the daemon has kept: signed, and not expired.
  TCFDL_TRY(epoch == 0 ? self->revocations->check_in_force(scope.function(), scope.epoch())
                       : self->revocations->check_epoch(scope.function(), scope.epoch(), clock_.now()));
  TCFDL_TRY(self->revocations->check_key(scope.holder_verify_key(), holder));
  TCFDL_TRY(accept_function(scope, unverified_descriptor, instance));
  TCFDL_ASSIGN(const auto secret,
               crypto::hpke_open(keys_.sealing, as_bytes(package.scope()), {}, as_bytes(package.sealed())));
  TCFDL_ASSIGN(auto rk, crypto::Scalar::from_bytes(secret.span()));
  reencryption_.put(std::make_shared<const wire::ProxyKey>(wire::ProxyKey{std::move(rk), scope}));
  return scope;
}

Result<std::shared_ptr<const TeeProxy::Own>> TeeProxy::own() const {
  auto current = own_.with([](const auto& value) { return value; });
  if (current) return current;
  return Error(Code::kFailedPrecondition, "the proxy has no identity yet: its node has not enrolled");
}

} // namespace tcfdl::tee_proxy
