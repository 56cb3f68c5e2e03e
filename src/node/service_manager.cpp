// The service manager as a daemon.
#include "attestation/judgement.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/renewal.hpp"
#include "collaboration/subjects.hpp"
#include "crypto/pem.hpp"
#include "crypto/secret.hpp"
#include "http/message.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/server.hpp"
#include "metrics/tally.hpp"
#include "node/config.hpp"
#include "node/daemon.hpp"
#include "node/entrance.hpp"
#include "node/metrics_server.hpp"
#include "node/run.hpp"
#include "node/state.hpp"
#include "service_manager/schema.hpp"
#include "service_manager/service.hpp"
#include "wire/enrolment_token.hpp"
#include "wire/server_names.hpp"

#include <condition_variable>
#include <thread>

namespace tcfdl::node {
namespace {

constexpr const char* kOwnUser = "service_manager";
constexpr std::int64_t kTokenLifetime = 24L * 3600;
constexpr std::size_t kLongestRefusal = 4096; // in the log

Status write_initial_tokens(const ServiceManagerConfig& config, service_manager::Authority& authority,
                            service_manager::authority::NatsOperator& nats, NodeState& state,
                            const NodeEntrance& here) {
  for (const auto& initial : config.initial_tokens) {
    const auto done = "initial_token_" + initial.cluster;
    if (!state.get(done).empty()) continue;
    wire::CreateToken wanted;
    wanted.set_role(wire::ROLE_MASTER);
    wanted.set_cluster(initial.cluster);
    wanted.set_lifetime(kTokenLifetime);
    TCFDL_ASSIGN(const auto made, authority.create_token(wanted));
    TCFDL_ASSIGN(const auto user, nats.enrolling_user(initial.cluster, made.expires()));
    auto entrance = here;
    entrance.cluster = initial.cluster;
    entrance.host = config.nats.advertise;
    entrance.seed = user.seed;
    entrance.jwt = user.jwt;
    const wire::EnrolmentToken token{made.secret(), to_bytes(made.authority_key_hash()), entrance.to_json()};
    TCFDL_TRY(write_file(initial.file, as_bytes(token.text() + "\n"), kPrivateFile));
    TCFDL_TRY(state.set(done, "written"));
  }
  return {};
}

/// The certificate of the service manager's own server: issued now, and anew at half of its life.
class OwnCertificate {
public:
  OwnCertificate(const service_manager::authority::TlsAuthority& authority, crypto::SigningKey key, const Clock& clock)
      : authority_(authority), key_(std::move(key)), clock_(clock) {}
  Result<message_queue::ServerTls> issue() {
    lifetime_ = next_lifetime();
    TCFDL_ASSIGN(auto pem, issue_pem(lifetime_));
    return message_queue::ServerTls{std::move(pem),
                                    std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(key_))};
  }
  /// Renews it while what is returned lives; the server and this outlive that.
  Renewal keep_new(message_queue::EmbeddedServer& server) {
    return {{.what = "the TLS certificate"},
            clock_,
            [this] { return lifetime_; },
            [this, &server] { return renew(server); }};
  }

private:
  static constexpr std::int64_t kSeconds = 30L * 24 * 3600;

  [[nodiscard]] Lifetime next_lifetime() const { return {clock_.now(), clock_.now() + kSeconds}; }
  [[nodiscard]] Result<std::string> issue_pem(const Lifetime& lifetime) const {
    TCFDL_ASSIGN(const auto made, authority_.issue(key_.public_key(), {wire::kServiceManagerServer}, lifetime.expires));
    return crypto::to_pem(made.der(), "CERTIFICATE");
  }
  Status renew(message_queue::EmbeddedServer& server) {
    const auto lifetime = next_lifetime();
    TCFDL_ASSIGN(const auto pem, issue_pem(lifetime));
    TCFDL_TRY(server.set_certificate(pem));
    lifetime_ = lifetime;
    return {};
  }

  const service_manager::authority::TlsAuthority& authority_;
  const crypto::SigningKey key_;
  const Clock& clock_;
  Lifetime lifetime_; // of what the server has; of the thread that renews, once it runs
};

/// The policy that is in force from this start on, and what the verdicts are made with.
Result<service_manager::AuthoritySettings> authority_settings(const ServiceManagerConfig& config) {
  service_manager::AuthoritySettings settings;
  settings.key_file = config.key_file;
  settings.certificate_lifetime = config.certificate_lifetime.count();
  TCFDL_ASSIGN(const auto text, read_text_file(config.policy, std::size_t{1} << 20U));
  TCFDL_ASSIGN(settings.policy, attestation::PolicyDocument::parse_text(text, config.policy.string()));
  if (settings.policy.version == 0) {
    return make_error(Code::kInvalidArgument, "{}: 'version' is missing; number the policy, from 1 on",
                      config.policy.string());
  }
  const auto hash = crypto::sha256(as_bytes(text));
  settings.policy_hash = Bytes(hash.begin(), hash.end());
  settings.endorsements = [files = attestation::EndorsementFiles{.collateral = config.collateral,
                                                                 .certificates = config.certificates.string()}] {
    return attestation::read_endorsements(files);
  };
  TCFDL_TRY(settings.endorsements());
  spdlog::info("policy: version {} of {}", settings.policy.version, config.policy.string());
  for (const auto& warning : settings.policy.warnings()) spdlog::warn("policy: {}", warning);
  return settings;
}

/// How requests of a kind ended.
class Requests {
public:
  using Handle = std::function<Result<Bytes>(BytesView)>;

  /// `handle`, counted.
  Handle counted(const char* kind, Handle handle) {
    return [this, kind, handle = std::move(handle)](BytesView bytes) {
      auto reply = handle(bytes);
      tally_.add(kind, reply ? "OK" : std::string(code_name(reply.error().code())));
      return reply;
    };
  }
  void put_on(metrics::Page& page) const {
    tally_.put_on(page, "tcfdl_service_requests_total", "Requests to the service manager, by kind and code.", "kind",
                  "code");
  }

private:
  metrics::Tally tally_;
};

/// Who asks to be enrolled, as far as the name can stand in a log.
std::string applicant(BytesView request) {
  const auto parsed = wire::parse<wire::AuthorityRequest>(request);
  return parsed && check_label(parsed->enrol().name(), "name") ? parsed->enrol().name() : "somebody";
}

/// Erases the keys of epochs that are over, and tells every master of a newer revocation list. One thread.
class TrustKeeper {
public:
  TrustKeeper(service_manager::Authority& authority, message_queue::Bus& bus)
      : authority_(authority), bus_(bus), thread_([this](const std::stop_token& stop) { run(stop); }) {}

private:
  void run(const std::stop_token& stop) {
    std::uint64_t told = 0;
    std::mutex mutex;
    std::condition_variable_any ended;
    for (std::unique_lock lock(mutex); !stop.stop_requested();
         ended.wait_for(lock, stop, std::chrono::milliseconds(250), [] { return false; })) {
      const auto erased = authority_.erase_retired_keys();
      if (!erased) spdlog::error("keys of an epoch that is over are not erased yet: {}", erased.error().to_string());
      const auto number = authority_.revocation_number();
      if (!number || *number == told) continue;
      const auto done = tell();
      if (done) told = *number;
      if (!done) spdlog::debug("revocation list {} is not told yet: {}", *number, done.error().message());
    }
  }
  Status tell() {
    TCFDL_ASSIGN(const auto list, authority_.revocations());
    return bus_.publish(collaboration::kServiceRevocationsSubject, wire::serialize(list));
  }

  service_manager::Authority& authority_;
  message_queue::Bus& bus_;
  std::jthread thread_;
};

/// While they last, requests are answered. The service outlives them.
Result<std::vector<message_queue::Subscription>> serve_requests(message_queue::Bus& bus,
                                                                service_manager::Service& service, Requests& requests) {
  const auto enrol = [&service](BytesView bytes) {
    auto reply = service.handle_enrolment(bytes);
    if (!reply) {
      spdlog::warn("refused to enrol {}: {}", applicant(bytes),
                   http::printable(reply.error().to_string(), kLongestRefusal));
    }
    return reply;
  };
  std::vector<message_queue::Subscription> services;
  const auto add = [&](const std::string& subject, const char* kind, auto handler) -> Status {
    TCFDL_ASSIGN(auto served, bus.serve(subject, requests.counted(kind, std::move(handler))));
    services.push_back(std::move(served));
    return {};
  };
  TCFDL_TRY(add(collaboration::authority_subject("*"), "authority",
                [&service](BytesView bytes) { return service.handle_authority(bytes); }));
  TCFDL_TRY(add(collaboration::registry_subject("*"), "registry",
                [&service](BytesView bytes) { return service.handle_registry(bytes); }));
  TCFDL_TRY(add(collaboration::credential_subject("*"), "credential",
                [&service](BytesView bytes) { return service.handle_credential(bytes); }));
  TCFDL_TRY(add(std::string(collaboration::kServiceEnrolSubject), "enrolment", enrol));
  return services;
}

Status serve(const ServiceManagerConfig& config) {
  const SystemClock clock;
  TCFDL_ASSIGN(auto state, NodeState::open(config.state));
  TCFDL_ASSIGN(const auto port, state.port("nats_port", config.nats.port));
  TCFDL_ASSIGN(const auto database, database::Database::open(config.state / "service_manager.sqlite"));
  TCFDL_TRY(service_manager::prepare_schema(*database));
  service_manager::OperationLog log(*database, clock);
  service_manager::Registry registry(*database, log, clock);
  const auto verifiers = attestation::all_verifiers();
  TCFDL_ASSIGN(auto settings, authority_settings(config));
  TCFDL_ASSIGN(const auto authority,
               service_manager::Authority::open({*database, log, registry, verifiers, clock}, std::move(settings)));
  service_manager::authority::NatsOperator nats(authority->nats_root(), *database, log, clock);
  service_manager::Service service(*authority, registry, nats, clock);

  message_queue::ServerSettings server_settings;
  server_settings.state_directory = config.state / "nats";
  server_settings.host = config.nats.listen;
  server_settings.port = port;
  TCFDL_ASSIGN(auto tls_key, state.tls_key());
  OwnCertificate certificate(service.tls(), std::move(tls_key), clock);
  TCFDL_ASSIGN(server_settings.tls, certificate.issue());
  TCFDL_ASSIGN(server_settings.trust, nats.own_trust());
  message_queue::EmbeddedServer server(std::move(server_settings));
  TCFDL_TRY(server.start());
  const auto renewal = certificate.keep_new(server);
  TCFDL_ASSIGN(auto own, nats.own_user(kOwnUser));
  NodeEntrance here;
  here.host = config.nats.local();
  here.port = port;
  here.root = service.tls().root().der();
  here.server_name = wire::kServiceManagerServer;
  auto bus_settings = here.bus(kOwnUser, std::move(own));
  bus_settings.workers = 8;
  TCFDL_ASSIGN(const auto bus, message_queue::NatsBus::connect(bus_settings));
  Requests requests;
  TCFDL_ASSIGN(const auto services, serve_requests(*bus, service, requests));
  const TrustKeeper keeper(*authority, *bus);
  TCFDL_TRY(write_initial_tokens(config, *authority, nats, state, here));
  TCFDL_ASSIGN(const auto figures, MetricsServer::start(config.observation.metrics, state,
                                                        [&](metrics::Page& page) { requests.put_on(page); }));
  ReadyFile ready(config.ready_file);
  nlohmann::json content{{"pid", ::getpid()}, {"nats_port", port}, {"policy_version", authority->policy_version()}};
  if (figures) figures->describe(content);
  TCFDL_TRY(ready.write(content));
  spdlog::info("ready: registry and authority on {}:{}", config.nats.listen, port);
  wait_for_stop();
  return {};
}

} // namespace

int run_service_manager(const std::string& config) {
  crypto::protect_process(); // before it holds the keys of everybody
  return run_daemon("service-manager", [&]() -> Status {
    TCFDL_ASSIGN(const auto parsed, ServiceManagerConfig::read(config));
    start_logging(parsed.observation.logs("service-manager"));
    return serve(parsed);
  });
}

} // namespace tcfdl::node
