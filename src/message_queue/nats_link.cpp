#include "message_queue/nats_link.hpp"

#include "base/log.hpp"
#include "message_queue/names.hpp"
#include "message_queue/server_config.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tcfdl::message_queue {
namespace {

/// Where answers are expected. Elsewhere a service would write, with its own rights, where its caller may not.
constexpr std::string_view kInboxes = "_INBOX";

Code code_of(natsStatus status) {
  switch (status) {
  case NATS_TIMEOUT: return Code::kDeadlineExceeded;
  case NATS_NOT_FOUND: return Code::kNotFound;
  case NATS_NOT_PERMITTED: return Code::kPermissionDenied;
  case NATS_SECURE_CONNECTION_REQUIRED:
  case NATS_SECURE_CONNECTION_WANTED:
  case NATS_CONNECTION_AUTH_FAILED: return Code::kUnauthenticated;
  case NATS_INVALID_ARG:
  case NATS_MAX_PAYLOAD: return Code::kInvalidArgument;
  case NATS_IO_ERROR:
  case NATS_CONNECTION_CLOSED:
  case NATS_CONNECTION_DISCONNECTED:
  case NATS_STALE_CONNECTION:
  case NATS_INSUFFICIENT_BUFFER: return Code::kUnavailable;
  default: return Code::kInternal;
  }
}

/// TLS 1.2 and below: a suite that a server with a certificate cannot choose, and that is not offered without a shared
/// key. What is left is TLS 1.3.
constexpr const char* kNoOldSuites = "PSK-AES128-GCM-SHA256";

natsStatus set_tls(natsOptions* options, const std::optional<TlsTrust>& tls) {
  if (!tls) return NATS_OK;
  auto status = natsOptions_SetSecure(options, true);
  if (status == NATS_OK) status = natsOptions_SetCiphers(options, kNoOldSuites);
  if (status == NATS_OK) status = natsOptions_SetCATrustedCertificates(options, tls->root_pem.c_str());
  if (status == NATS_OK) status = natsOptions_SetExpectedHostname(options, tls->server_name.c_str());
  return status;
}

/// Why a connection was not made; the library says more of TLS than its status does.
Error refusal(natsStatus status, const NatsBusSettings& settings) {
  const auto where =
      fmt::format("cannot connect to the message queue at {}:{} as `{}`", settings.host, settings.port, settings.name);
  natsStatus last = NATS_OK;
  const auto detail = text_or_empty(nats_GetLastError(&last));
  const bool tls = status == NATS_SSL_ERROR || (status == NATS_NO_SERVER && last == NATS_SSL_ERROR);
  if (tls && !settings.tls) return make_error(Code::kUnauthenticated, "{}: the server demands TLS", where);
  if (tls && detail.find("cert=") != std::string_view::npos) { // it names the certificate that it does not like
    return make_error(Code::kUnauthenticated, "{}: the server does not prove that it is {}: {}", where,
                      settings.tls->server_name, detail);
  }
  if (tls) return make_error(Code::kUnavailable, "{}: TLS failed: {}", where, detail);
  if (status == NATS_SECURE_CONNECTION_WANTED) {
    return make_error(Code::kUnauthenticated, "{}: the server offers no TLS", where);
  }
  if (status == NATS_SECURE_CONNECTION_REQUIRED) {
    return make_error(Code::kUnauthenticated, "{}: the server demands TLS", where);
  }
  const auto code = code_of(status) == Code::kUnauthenticated ? Code::kUnauthenticated : Code::kUnavailable;
  return make_error(code, "{}: {}", where, natsStatus_GetText(status));
}

} // namespace

Status check(natsStatus status, std::string_view what, std::string_view where) {
  if (status == NATS_OK) return {};
  return make_error(code_of(status), "{} {}: {}", what, where, natsStatus_GetText(status));
}

Result<OptionsPtr> NatsBus::Link::options(bool retry) {
  natsOptions* raw = nullptr;
  TCFDL_TRY(check(natsOptions_Create(&raw), "cannot make", "connection options"));
  OptionsPtr held(raw);
  const auto wait = settings.reconnect_wait.count();
  const auto url = fmt::format("nats://{}:{}", settings.host, settings.port);
  constexpr std::int64_t kWriteWithin = 5000; // milliseconds; a server that is stopped reads nothing
  constexpr int kNoBuffer = 1; // a buffer of one octet is always full: publishing while disconnected fails
  for (const natsStatus status : {
           natsOptions_SetURL(raw, url.c_str()),
           settings.credential ? natsOptions_SetUserCredentialsCallbacks(raw, give_jwt, this, sign_nonce, this)
                               : NATS_OK,
           set_tls(raw, settings.tls),
           natsOptions_SetName(raw, settings.name.c_str()),
           natsOptions_SetCustomInboxPrefix(raw, settings.inbox_prefix.c_str()),
           natsOptions_SetTimeout(raw, settings.connect_timeout.count()),
           natsOptions_SetMaxReconnect(raw, -1),
           natsOptions_SetReconnectWait(raw, wait),
           natsOptions_SetReconnectJitter(raw, wait, wait),
           natsOptions_SetReconnectBufSize(raw, kNoBuffer),
           natsOptions_SetFailRequestsOnDisconnect(raw, true),
           natsOptions_SetSendAsap(raw, true),
           natsOptions_SetWriteDeadline(raw, kWriteWithin),
           natsOptions_SetIOBufSize(raw, 128 * 1024),
           natsOptions_SetPingInterval(raw, settings.ping_interval.count()),
           natsOptions_SetIgnoreDiscoveredServers(raw, true),
           natsOptions_SetDisconnectedCB(raw, on_disconnected, this),
           natsOptions_SetReconnectedCB(raw, on_connected, this),
           natsOptions_SetClosedCB(raw, on_closed, this),
           natsOptions_SetErrorHandler(raw, on_error, this),
           natsOptions_SetRetryOnFailedConnect(raw, retry, retry ? on_connected : nullptr, this),
       }) {
    TCFDL_TRY(check(status, "cannot set the options of the connection to", url));
  }
  return held;
}

Status NatsBus::Link::connect(bool retry) {
  TCFDL_TRY(check_subject(settings.inbox_prefix));
  if (!settings.tls && !is_loopback(settings.host)) {
    return make_error(Code::kInvalidArgument, "{} is not connected to without TLS", settings.host);
  }
  TCFDL_ASSIGN(const auto held, options(retry));
  const auto status = natsConnection_Connect(&connection, held.get());
  if (status == NATS_OK || (retry && status == NATS_NOT_YET_CONNECTED)) return {};
  return refusal(status, settings);
}

natsStatus NatsBus::Link::give_jwt(char** jwt, char** /*error*/, void* closure) noexcept {
  *jwt = ::strdup(static_cast<Link*>(closure)->settings.credential->jwt().c_str());
  return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
}

// The library (3.4.1) sends nothing in place of a signature that begins with a zero octet, one in 256. Such an attempt
// fails here, before the server refuses it for good; the next one has another nonce.
natsStatus NatsBus::Link::sign_nonce(char** /*error*/, unsigned char** signature, int* size, const char* nonce,
                                     void* closure) noexcept {
  auto* link = static_cast<Link*>(closure);
  const auto signed_nonce = link->settings.credential->sign(as_bytes(std::string_view(nonce)));
  if (signed_nonce[0] == 0) {
    link->unlucky_nonce_ = true;
    return NATS_IO_ERROR;
  }
  *signature = static_cast<unsigned char*>(std::malloc(signed_nonce.size()));
  if (*signature == nullptr) return NATS_NO_MEMORY;
  std::ranges::copy(signed_nonce, *signature);
  *size = static_cast<int>(signed_nonce.size());
  return NATS_OK;
}

void NatsBus::Link::on_disconnected(natsConnection* /*connection*/, void* closure) noexcept {
  static_cast<Link*>(closure)->tell(BusState::kDisconnected);
}

void NatsBus::Link::on_connected(natsConnection* /*connection*/, void* closure) noexcept {
  auto* link = static_cast<Link*>(closure);
  ++link->epoch_;
  link->tell(BusState::kConnected);
}

void NatsBus::Link::on_error(natsConnection* connection, natsSubscription* /*subscription*/, natsStatus status,
                             void* closure) noexcept {
  const char* text = nullptr;
  natsConnection_GetLastError(connection, &text);
  spdlog::warn("message queue connection {}: {} {}", static_cast<Link*>(closure)->settings.name,
               natsStatus_GetText(status), text_or_empty(text));
}

void NatsBus::Link::on_closed(natsConnection* connection, void* closure) noexcept {
  auto* link = static_cast<Link*>(closure);
  if (!link->closing_) {
    const char* text = nullptr;
    natsConnection_GetLastError(connection, &text);
    spdlog::error("the message queue refuses `{}` for good: {}", link->settings.name, text_or_empty(text));
  }
  link->tell(BusState::kClosed);
  const std::scoped_lock lock(link->closed_mutex_);
  link->closed_ = true;
  link->closed_changed_.notify_all();
}

void NatsBus::Link::close() {
  closing_ = true;
  natsConnection_Close(connection);
  pool.stop();
  std::unique_lock lock(closed_mutex_);
  // The library tells this last, so no callback uses the link afterwards.
  closed_changed_.wait(lock, [this] { return closed_; });
}

Status NatsBus::Link::flush_subscription(std::string_view filter) {
  if (!connected()) return {};
  TCFDL_TRY(check(ended->flush(connection, settings.operation_timeout.count()), "cannot activate the subscription to",
                  filter));
  const char* text = nullptr;
  natsConnection_GetLastError(connection, &text);
  const auto refusal = fmt::format("Violation for Subscription to \"{}\"", filter);
  if (text == nullptr || ::strcasestr(text, refusal.c_str()) == nullptr) return {};
  return make_error(Code::kPermissionDenied, "`{}` may not subscribe to {}", settings.name, filter);
}

void NatsBus::Link::answer(const char* reply, const Result<Bytes>& result) const {
  if (!text_or_empty(reply).starts_with(kInboxes)) return;
  if (result) {
    const auto size = static_cast<int>(result->size());
    if (natsConnection_Publish(connection, reply, result->data(), size) != NATS_MAX_PAYLOAD) return;
    return answer(reply, make_error(Code::kInternal, "an answer of {} bytes is larger than a message", result->size()));
  }
  constexpr std::size_t kLongestMessage = 4096;
  const auto text = result.error().message().substr(0, kLongestMessage);
  natsMsg* raw = nullptr;
  if (natsMsg_Create(&raw, reply, nullptr, text.data(), static_cast<int>(text.size())) != NATS_OK) return;
  const MessagePtr message(raw);
  const std::string code(code_name(result.error().code()));
  const auto retry_after = result.error().retry_after().count();
  if (retry_after > 0) natsMsgHeader_Set(raw, kRetryAfterHeader, std::to_string(retry_after).c_str());
  if (natsMsgHeader_Set(raw, kCodeHeader, code.c_str()) == NATS_OK) natsConnection_PublishMsg(connection, raw);
}

Status NatsBus::Link::ensure_jetstream() {
  if (jetstream_) return {};
  jsOptions wanted;
  jsOptions_Init(&wanted);
  wanted.Wait = settings.operation_timeout.count();
  jsCtx* raw = nullptr;
  TCFDL_TRY(check(natsConnection_JetStream(&raw, connection, &wanted), "cannot use", "JetStream"));
  jetstream_.reset(raw);
  return {};
}

Result<jsCtx*> NatsBus::Link::jetstream() {
  TCFDL_TRY(require_connected());
  const std::scoped_lock lock(jetstream_mutex_);
  TCFDL_TRY(ensure_jetstream());
  return jetstream_.get();
}

Status NatsBus::Link::create_store(const std::string& bucket) {
  TCFDL_TRY(check_bucket(bucket));
  TCFDL_TRY(require_connected());
  const std::scoped_lock lock(jetstream_mutex_);
  TCFDL_TRY(ensure_jetstream());
  kvConfig wanted;
  kvConfig_Init(&wanted);
  wanted.Bucket = bucket.c_str();
  wanted.History = 1;
  wanted.StorageType = js_FileStorage;
  kvStore* raw = nullptr;
  TCFDL_TRY(check(js_CreateKeyValue(&raw, jetstream_.get(), &wanted), "cannot create bucket", bucket));
  StorePtr made(raw);
  stores_.try_emplace(bucket, std::move(made)); // one that is in use stays
  return {};
}

Result<kvStore*> NatsBus::Link::store(const std::string& bucket) {
  TCFDL_TRY(check_bucket(bucket));
  TCFDL_TRY(require_connected());
  const std::scoped_lock lock(jetstream_mutex_);
  if (const auto found = stores_.find(bucket); found != stores_.end()) return found->second.get();
  TCFDL_TRY(ensure_jetstream());
  kvStore* raw = nullptr;
  TCFDL_TRY(check(js_KeyValue(&raw, jetstream_.get(), bucket.c_str()), "cannot open bucket", bucket));
  return stores_.try_emplace(bucket, raw).first->second.get();
}

Result<SubscriptionPtr> NatsBus::Link::consume(const std::string& bucket) {
  TCFDL_TRY(store(bucket));
  const auto stream = "KV_" + bucket;
  jsSubOptions wanted;
  jsSubOptions_Init(&wanted);
  wanted.Stream = stream.c_str();
  wanted.Config.DeliverPolicy = js_DeliverLastPerSubject;
  wanted.Config.AckPolicy = js_AckNone;
  wanted.Config.MemoryStorage = true;
  natsSubscription* raw = nullptr;
  const auto keys = key_prefix(bucket) + ">";
  TCFDL_TRY(
      check(js_SubscribeSync(&raw, jetstream_.get(), keys.c_str(), nullptr, &wanted, nullptr), "cannot watch", bucket));
  SubscriptionPtr subscription(raw, {ended});
  std::ignore = ended->flush(connection, settings.operation_timeout.count()); // what ended before is freed some time
  return subscription;
}

} // namespace tcfdl::message_queue
