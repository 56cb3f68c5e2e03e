#include "sdk/provider.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/renewal.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "crypto/secret.hpp"
#include "sdk/caller.hpp"
#include "sdk/revocation_watch.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/descriptor.hpp"
#include "wire/server_names.hpp"
#include "wire/tls_connection.hpp"

#include <charconv>
#include <csignal>
#include <cstdlib>

namespace tcfdl::sdk {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Result<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != '\0') return std::string(value);
  return make_error(Code::kFailedPrecondition,
                    "{} is not set: this program provides a function and is started by the platform; deploy it with "
                    "`tcfdl function deploy`",
                    name);
}

Result<wire::Address> address_variable(const char* name) {
  TCFDL_ASSIGN(const auto text, variable(name));
  return wire::parse_address(text);
}

Result<std::uint64_t> number_variable(const char* name) {
  TCFDL_ASSIGN(const auto text, variable(name));
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return number;
  return make_error(Code::kFailedPrecondition, "{}='{}' is no number", name, text);
}

/// The keys of an identity that was made ahead take the place of those that were made for the attach.
Status take_slot(const wire::ProxyAttached& attached, crypto::SigningKey& signing, crypto::HpkePrivateKey& sealing) {
  TCFDL_ASSIGN(const auto keys, crypto::hpke_open(sealing, as_bytes(attached.certificate().statement()), {},
                                                  as_bytes(attached.slot_keys())));
  constexpr std::size_t kKeySize = 32;
  if (keys.size() != 2 * kKeySize) return Error(Code::kDataLoss, "the proxy gave a slot without two keys of 32 bytes");
  TCFDL_ASSIGN(signing, crypto::SigningKey::from_private_bytes(keys.span().first(kKeySize)));
  TCFDL_ASSIGN(sealing, crypto::HpkePrivateKey::from_bytes(keys.span().last(kKeySize)));
  return {};
}

/// The listening sockets of an instance, best first.
using Doors = std::vector<std::unique_ptr<wire::Listener>>;

/// For callers on other nodes, at the first port that is free; in TLS where there is what to show.
Result<std::unique_ptr<wire::Listener>> open_network_door(const InstanceEnvironment& environment, TaskServer& server,
                                                          const std::shared_ptr<crypto::ServerTls>& tls) {
  const auto reach = tls ? Reach::kClosed : Reach::kOpen;
  const auto serve = [&server, reach](wire::Connection& connection) { server.serve(connection, reach); };
  const auto& [first, last] = environment.listen_ports;
  for (std::uint32_t port = first;; ++port) {
    const wire::TcpAddress address{environment.listen, static_cast<std::uint16_t>(port), tls != nullptr};
    const wire::ListenerSettings settings{.name = "network", .exposure = wire::Exposure::kNetwork};
    auto door = tls ? wire::listen_tls(
                          address, settings, [tls] { return tls->context(); }, serve)
                    : wire::Listener::start(address, settings, serve);
    if (door || port >= last) return door;
  }
}

Result<Doors> open_doors(const InstanceEnvironment& environment, TaskServer& server,
                         const std::shared_ptr<crypto::ServerTls>& tls) {
  const auto serve = [&server](wire::Connection& connection) { server.serve(connection, Reach::kClosed); };
  Doors doors;
  if (!environment.run_directory.empty()) {
    TCFDL_ASSIGN(const auto path,
                 wire::parse_address(fmt::format("unix:{}/{}.sock", environment.run_directory, environment.instance)));
    TCFDL_ASSIGN(auto local, wire::Listener::start(path, {.name = "local"}, serve));
    doors.push_back(std::move(local));
  }
  TCFDL_ASSIGN(auto tcp, wire::Listener::start(wire::TcpAddress{"127.0.0.1", 0}, {.name = "tcp"}, serve));
  doors.push_back(std::move(tcp));
  if (environment.listen.empty()) return doors;
  TCFDL_ASSIGN(auto network, open_network_door(environment, server, tls));
  doors.push_back(std::move(network));
  return doors;
}

/// The largest body that the function's owner admits, bytes.
std::uint64_t max_body(const wire::Descriptor& descriptor) {
  constexpr std::uint64_t kDefault = std::uint64_t{1} << 30U;
  return descriptor.max_body() == 0 ? kDefault : descriptor.max_body();
}

Result<InstanceEnvironment> begin_instance() {
  std::signal(SIGPIPE, SIG_IGN);
  TCFDL_ASSIGN(auto environment, InstanceEnvironment::read());
  start_logging_as_told({.component = "instance", .node = environment.node, .instance = environment.instance});
  return environment;
}

/// What `prepare` made, for `serve` to take. Of the thread that calls both.
std::unique_ptr<Attended>& prepared() {
  static std::unique_ptr<Attended> instance;
  return instance;
}

int failed(const Error& error) {
  spdlog::error("{}", error.to_string());
  return 1;
}

int serve_work(Work work) {
  auto instance = std::move(prepared());
  if (!instance) {
    auto environment = begin_instance();
    if (!environment) {
      fmt::print(stderr, "{}\n", environment.error().to_string());
      return 2;
    }
    auto attended = attend(*std::move(environment), SystemClock());
    if (!attended) return failed(attended.error());
    instance = *std::move(attended);
  }
  const auto done = run_instance(*instance, std::move(work));
  return done ? 0 : failed(done.error());
}

} // namespace

std::unique_ptr<wire::SpanBuffer> spans_as_told(const std::string& service, wire::SpanBuffer::Send send) {
  const auto told = variable("TCFDL_TRACING");
  if (!told) return nullptr;
  double share = 0;
  const auto parsed = std::from_chars(told->data(), told->data() + told->size(), share);
  if (parsed.ec != std::errc()) return nullptr;
  return std::make_unique<wire::SpanBuffer>(wire::SpanBufferSettings{.service = service, .sampling = share},
                                            std::move(send));
}

Result<InstanceEnvironment> InstanceEnvironment::read() {
  crypto::protect_process(); // whoever reads this is the platform's, and secrets follow
  InstanceEnvironment environment;
  TCFDL_ASSIGN(environment.instance, variable("TCFDL_INSTANCE"));
  environment.function = variable("TCFDL_FUNCTION").value_or("");
  TCFDL_ASSIGN(environment.cluster, variable("TCFDL_CLUSTER"));
  TCFDL_ASSIGN(environment.node, variable("TCFDL_NODE"));
  TCFDL_ASSIGN(environment.authority, variable("TCFDL_AUTHORITY"));
  TCFDL_ASSIGN(environment.proxy, address_variable("TCFDL_PROXY"));
  TCFDL_ASSIGN(environment.proxy_token, variable("TCFDL_PROXY_TOKEN"));
  TCFDL_ASSIGN(environment.agent, address_variable("TCFDL_AGENT"));
  TCFDL_ASSIGN(environment.agent_token, variable("TCFDL_AGENT_TOKEN"));
  TCFDL_ASSIGN(environment.tasks, address_variable("TCFDL_TASKS"));
  TCFDL_ASSIGN(environment.tasks_token, variable("TCFDL_TASKS_TOKEN"));
  environment.run_directory = variable("TCFDL_RUN_DIR").value_or("");
  environment.listen = variable("TCFDL_LISTEN").value_or("");
  if (const auto ports = variable("TCFDL_LISTEN_PORTS")) {
    TCFDL_ASSIGN(environment.listen_ports, wire::parse_ports(*ports));
  }
  environment.content = {.bundle = variable("TCFDL_BUNDLE").value_or(""),
                         .sealed = variable("TCFDL_SEALED").value_or(""),
                         .opened = variable("TCFDL_CONFIDENTIAL").value_or("")};
  TCFDL_ASSIGN(const auto concurrency, number_variable("TCFDL_CONCURRENCY"));
  environment.concurrency = static_cast<unsigned>(std::clamp<std::uint64_t>(concurrency, 1, 1024));
  for (const auto* secret : {"TCFDL_PROXY_TOKEN", "TCFDL_AGENT_TOKEN", "TCFDL_TASKS_TOKEN"}) ::unsetenv(secret);
  return environment;
}

Result<std::unique_ptr<ProxyClient>> ProxyClient::connect(const wire::Address& address, Deadline deadline) {
  TCFDL_ASSIGN(auto connection, wire::connect(address, deadline));
  return std::unique_ptr<ProxyClient>(new ProxyClient(std::move(connection)));
}

Result<wire::ProxyReply> ProxyClient::request(const wire::ProxyRequest& request, Deadline deadline) {
  TCFDL_ASSIGN(auto reply, line_.exchange(request, deadline));
  if (reply.has_error()) return wire::to_error(reply.error());
  return reply;
}

Result<crypto::VerifyKey> meet_proxy(const InstanceEnvironment& environment, Proxy& proxy, const Clock& clock,
                                     Deadline deadline) {
  const auto nonce = crypto::random_array<wire::kNonceSize>();
  wire::ProxyRequest request;
  request.mutable_introduce()->set_nonce(wire::field(nonce));
  TCFDL_ASSIGN(const auto reply, proxy.request(request, deadline));
  const auto& introduced = reply.introduced();
  if (to_hex(crypto::sha256(as_bytes(introduced.authority_key()))) != environment.authority) {
    return Error(Code::kUnauthenticated, "the proxy names another authority than TCFDL_AUTHORITY");
  }
  TCFDL_ASSIGN(auto authority, crypto::VerifyKey::from_bytes(as_bytes(introduced.authority_key())));
  TCFDL_ASSIGN(const auto certificate,
               wire::verify_certificate(authority, introduced.certificate(), {wire::ROLE_PROXY}, clock.now()));
  if (certificate.node() != environment.node || certificate.cluster() != environment.cluster) {
    return make_error(Code::kUnauthenticated, "{} of {} is not the proxy of {} in {}", certificate.subject(),
                      certificate.cluster(), environment.node, environment.cluster);
  }
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(certificate.verify_key())));
  TCFDL_TRY(wire::verify_labelled(key, "ProxyIntroduced", {nonce, as_bytes(introduced.certificate().statement())},
                                  as_bytes(introduced.proof())));
  return authority;
}

Result<Attachment> attach(const InstanceEnvironment& environment, ProxyClient& proxy, const Clock& clock,
                          Deadline deadline) {
  TCFDL_ASSIGN(auto authority, meet_proxy(environment, proxy, clock, deadline));
  auto signing = crypto::SigningKey::generate();
  auto sealing = crypto::HpkePrivateKey::generate();
  wire::ProxyRequest request;
  auto& keys = *request.mutable_attach();
  keys.set_token(environment.proxy_token);
  keys.set_verify_key(wire::field(signing.public_key().bytes()));
  keys.set_seal_key(wire::field(sealing.public_key().bytes()));
  TCFDL_ASSIGN(auto reply, proxy.request(request, deadline));
  auto& attached = *reply.mutable_attached();
  TCFDL_ASSIGN(const auto certificate,
               wire::verify_certificate(authority, attached.certificate(), {wire::ROLE_INSTANCE, wire::ROLE_GATEWAY},
                                        clock.now()));
  if (!attached.slot_keys().empty()) TCFDL_TRY(take_slot(attached, signing, sealing));
  if (certificate.verify_key() != wire::field(signing.public_key().bytes())) {
    return Error(Code::kUnauthenticated, "the certificate is for another key than this instance's");
  }
  Attachment attachment{Identity{certificate.subject(), std::move(signing), std::move(sealing),
                                 wire::HeldCertificate(attached.certificate()), std::move(authority)},
                        chain_of(attached)};
  if (certificate.role() == wire::ROLE_GATEWAY) return attachment;
  wire::KeyScope scope;
  TCFDL_ASSIGN(const auto x, open_key_package(attachment.identity, attached.processor_key(), wire::KEY_ROLE_PROCESSOR,
                                              clock.now(), scope));
  if (scope.function() != environment.function) {
    return make_error(Code::kPermissionDenied, "got a key of {} for an instance of {}", scope.function(),
                      environment.function);
  }
  TCFDL_ASSIGN(attachment.descriptor, wire::check_descriptor(attached.descriptor()));
  TCFDL_TRY(wire::check_owner(scope, attachment.descriptor));
  attachment.signed_descriptor = attached.descriptor();
  if (attachment.descriptor.measurement() != certificate.measurement()) {
    return make_error(Code::kPermissionDenied, "the descriptor of {} measures another bundle than this instance's",
                      environment.function);
  }
  attachment.content = {.manifest = attached.manifest(), .key = attached.content_key()};
  attachment.processor.emplace(ProcessorKey{crypto::DecryptionKey(x), std::move(scope)});
  return attachment;
}

Result<std::unique_ptr<Attended>> attend(InstanceEnvironment environment, const Clock& clock) {
  const auto deadline = Deadline::after(seconds(30));
  TCFDL_ASSIGN(auto proxy, ProxyClient::connect(environment.proxy, deadline));
  TCFDL_ASSIGN(auto attachment, attach(environment, *proxy, clock, deadline));
  TCFDL_TRY(open_confidential_files(attachment.identity, attachment.content, environment.content, clock.now()));
  return std::make_unique<Attended>(std::move(environment), std::move(proxy), std::move(attachment));
}

Result<TlsChain> renew_certificate(const Identity& identity, Proxy& proxy, const Clock& clock, Deadline deadline) {
  wire::ProxyRequest request;
  request.mutable_renew();
  TCFDL_ASSIGN(const auto reply, proxy.request(request, deadline));
  TCFDL_TRY(identity.certificate.adopt(reply.attached().certificate(), identity.authority, clock.now()));
  return chain_of(reply.attached());
}

Result<std::unique_ptr<AgentClient>> AgentClient::connect(const wire::Address& address, Deadline deadline) {
  TCFDL_ASSIGN(auto connection, wire::connect(address, deadline));
  return std::unique_ptr<AgentClient>(new AgentClient(std::move(connection)));
}

Status AgentClient::ready(const std::string& token, const std::vector<wire::Address>& addresses) {
  wire::InstanceReport report;
  report.mutable_ready()->set_token(token);
  report.mutable_ready()->set_answers(true);
  for (const auto& address : addresses) report.mutable_ready()->add_addresses(wire::to_string(address));
  const std::scoped_lock lock(mutex_);
  return wire::send_message(*connection_, report, Deadline::after(seconds(10)));
}

void AgentClient::report(const wire::TaskEvent& event) {
  wire::InstanceReport report;
  *report.mutable_task() = event;
  send(report);
}

void AgentClient::send(const wire::InstanceReport& report) {
  const std::scoped_lock lock(mutex_);
  const auto sent = wire::send_message(*connection_, report, Deadline::after(seconds(10)));
  if (!sent) spdlog::debug("cannot report to the node's daemon: {}", sent.error().message());
}

Status AgentClient::spans(const wire::Spans& spans) {
  wire::InstanceReport report;
  *report.mutable_spans() = spans;
  const std::scoped_lock lock(mutex_);
  return wire::send_message(*connection_, report, Deadline::after(seconds(10)));
}

std::optional<milliseconds> AgentClient::wait_for_drain(const Orders& orders) {
  for (;;) {
    const auto command = wire::receive_message<wire::InstanceCommand>(*connection_, Deadline::after(hours(24)));
    if (!command && command.error().code() == Code::kDeadlineExceeded) continue;
    if (!command) return std::nullopt;
    if (command->has_drain()) return milliseconds(command->drain().within_ms());
    if (command->has_recall()) orders.recall(command->recall().lease_id());
    if (command->has_ping()) {
      wire::InstanceReport report;
      report.mutable_pong()->set_overdue_ms(static_cast<std::uint32_t>(orders.overdue().count()));
      send(report);
    }
  }
}

Status run_instance(Attended& instance, Work work) {
  const SystemClock clock;
  const auto deadline = Deadline::after(seconds(30));
  const auto& environment = instance.environment;
  const auto& proxy = instance.proxy;
  auto& attachment = instance.attachment;
  if (!attachment.processor) return Error(Code::kFailedPrecondition, "the authority gave no key to process tasks with");
  TCFDL_ASSIGN(const auto agent, AgentClient::connect(environment.agent, deadline));
  TaskManagerClient task_manager(connector_to(environment.tasks), environment.tasks_token, attachment.identity);
  const auto spans =
      spans_as_told(environment.instance, [&agent](const wire::Spans& some) { return agent->spans(some); });
  Caller outgoing(attachment.identity, task_manager, *proxy, clock, nullptr, spans.get());
  wire::Revocations revocations(attachment.identity.authority);
  const auto server_name = wire::instance_server(environment.instance, environment.cluster);
  std::shared_ptr<crypto::ServerTls> tls;
  if (attachment.descriptor.direct_tls()) {
    TCFDL_ASSIGN(tls, make_server_tls(attachment.identity, attachment.tls_chain, server_name,
                                      PeerCertificates::kNotAsked, clock));
  }
  TaskServer server(
      {.instance = environment.instance,
       .function = environment.function,
       .concurrency = environment.concurrency,
       .max_body = max_body(attachment.descriptor),
       .protections = {attachment.descriptor.protections().begin(), attachment.descriptor.protections().end()},
       .descriptor = attachment.signed_descriptor,
       .topics = {attachment.descriptor.triggers().begin(), attachment.descriptor.triggers().end()},
       .isolated = attachment.descriptor.isolate_instance(),
       .renew_tls =
           [&](const TlsChain& chain) {
             return tls ? renew_server_tls(*tls, attachment.identity, chain, server_name, clock) : Status();
           },
       .spans = spans.get()},
      attachment.identity, *std::move(attachment.processor), *proxy, *agent, outgoing, std::move(work), clock,
      revocations);
  const auto forget_void = [&](bool is_newer) {
    server.erase_void();
    if (is_newer) outgoing.forget_void(revocations);
  };
  TCFDL_ASSIGN(const auto watch, RevocationWatch::start(environment.proxy, revocations, forget_void, deadline));
  const auto& certificate = attachment.identity.certificate;
  const Renewal renewal(
      {.what = "the certificate"}, clock, [&] { return certificate.lifetime(); },
      [&] { return server.renew(Deadline::after(seconds(20))); });
  TCFDL_ASSIGN(const auto doors, open_doors(environment, server, tls));
  std::vector<wire::Address> addresses;
  addresses.reserve(doors.size());
  for (const auto& door : doors) addresses.push_back(door->address());
  TCFDL_TRY(agent->ready(environment.agent_token, addresses));
  spdlog::info("ready: provides {}", environment.function);
  const auto within = agent->wait_for_drain({.recall = [&server](const auto& lease) { server.recall_burst(lease); },
                                             .overdue = [&server] { return server.overdue(); }});
  if (!within) return Error(Code::kUnavailable, "the node's daemon is gone");
  server.drain(Deadline::after(*within));
  spdlog::info("drained");
  return {};
}

} // namespace tcfdl::sdk

namespace tcfdl {

Status prepare() {
  if (sdk::prepared()) return {};
  TCFDL_ASSIGN(auto environment, sdk::begin_instance());
  TCFDL_ASSIGN(sdk::prepared(), sdk::attend(std::move(environment), SystemClock()));
  return {};
}

int serve(Handler handler) { return sdk::serve_work(std::move(handler)); }
int serve(StreamHandler handler) { return sdk::serve_work(std::move(handler)); }

} // namespace tcfdl
