#include "message_queue/nats_bus.hpp"

#include "base/log.hpp"
#include "base/worker_pool.hpp"
#include "message_queue/names.hpp"
#include "message_queue/nats_handles.hpp"
#include "message_queue/subscription_gate.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>

namespace tcfdl::message_queue {
namespace {

constexpr const char* kCodeHeader = "Tcfdl-Code";

Code code_of(natsStatus status) {
  switch (status) {
  case NATS_TIMEOUT: return Code::kDeadlineExceeded;
  case NATS_NOT_FOUND: return Code::kNotFound;
  case NATS_NOT_PERMITTED: return Code::kPermissionDenied;
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

Status check(natsStatus status, std::string_view what, std::string_view where) {
  if (status == NATS_OK) return {};
  return make_error(code_of(status), "{} {}: {}", what, where, natsStatus_GetText(status));
}

BytesView data_of(const natsMsg* message) {
  return {reinterpret_cast<const std::uint8_t*>(natsMsg_GetData(message)),
          static_cast<std::size_t>(std::max(natsMsg_GetDataLength(message), 0))};
}

std::string key_prefix(const std::string& bucket) { return fmt::format("$KV.{}.", bucket); }

/// Where answers are expected. Elsewhere a service would write, with its own rights, where its caller may not.
constexpr std::string_view kInboxes = "_INBOX";

std::string_view text_or_empty(const char* text) { return text == nullptr ? std::string_view() : text; }

Message view_of(const natsMsg* message) {
  return {natsMsg_GetSubject(message), text_or_empty(natsMsg_GetReply(message)), data_of(message)};
}

} // namespace

/// The connection and what callbacks need of it. Shared by the bus and its subscriptions; `close()` ends its work.
class NatsBus::Link {
public:
  explicit Link(const NatsBusSettings& wanted) : settings(wanted), pool(wanted.workers, wanted.waiting_requests) {}
  ~Link() {
    stores_.clear();
    jetstream_.reset();
    natsConnection_Destroy(connection);
  }

  Status connect(bool retry);
  void close();

  /// Whether an attempt to connect failed for no other reason than its nonce.
  [[nodiscard]] bool met_unlucky_nonce() const noexcept { return unlucky_nonce_; }
  [[nodiscard]] bool connected() const { return natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED; }
  [[nodiscard]] Status require_connected() const {
    if (connected()) return {};
    return make_error(Code::kUnavailable, "not connected to the message queue at {}:{}; it reconnects by itself",
                      settings.host, settings.port);
  }
  /// Counts connections, so that one who remembers it sees a loss in between.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  void set_handler(StateHandler handler) {
    state_handler_.with([&](StateHandler& held) { held = std::move(handler); });
  }

  /// The store of a bucket, kept for the life of the link.
  Result<kvStore*> store(const std::string& bucket);
  Status create_store(const std::string& bucket);
  /// A new consumer of the last value of every key and of what follows.
  Result<SubscriptionPtr> consume(const std::string& bucket);

  Status flush_subscription(std::string_view filter);
  void answer(const char* reply, const Result<Bytes>& result) const;

  const NatsBusSettings settings;
  WorkerPool pool;
  const std::shared_ptr<EndedSubscriptions> ended = std::make_shared<EndedSubscriptions>();
  natsConnection* connection = nullptr; // constant after connect()

private:
  Result<OptionsPtr> options(bool retry);
  void tell(BusState state) {
    state_handler_.with([&](const StateHandler& handler) {
      if (handler) handler(state);
    });
  }
  Status ensure_jetstream();

  static natsStatus give_jwt(char** jwt, char** /*error*/, void* closure) noexcept {
    *jwt = ::strdup(static_cast<Link*>(closure)->settings.credential->jwt().c_str());
    return *jwt == nullptr ? NATS_NO_MEMORY : NATS_OK;
  }
  /// The library (3.4.1) sends nothing in place of a signature that begins with a zero octet, one in 256. Such an
  /// attempt fails here, before the server refuses it for good; the next one has another nonce.
  static natsStatus sign_nonce(char** /*error*/, unsigned char** signature, int* size, const char* nonce,
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
  static void on_disconnected(natsConnection* /*connection*/, void* closure) noexcept {
    static_cast<Link*>(closure)->tell(BusState::kDisconnected);
  }
  static void on_connected(natsConnection* /*connection*/, void* closure) noexcept {
    auto* link = static_cast<Link*>(closure);
    ++link->epoch_;
    link->tell(BusState::kConnected);
  }
  static void on_closed(natsConnection* /*connection*/, void* closure) noexcept;
  static void on_error(natsConnection* connection, natsSubscription* /*subscription*/, natsStatus status,
                       void* closure) noexcept {
    const char* text = nullptr;
    natsConnection_GetLastError(connection, &text);
    spdlog::warn("message queue connection {}: {} {}", static_cast<Link*>(closure)->settings.name,
                 natsStatus_GetText(status), text_or_empty(text));
  }

  std::atomic<std::uint64_t> epoch_ = 0;
  std::atomic<bool> unlucky_nonce_ = false;
  std::atomic<bool> closing_ = false;
  Guarded<StateHandler> state_handler_;
  std::mutex closed_mutex_;
  std::condition_variable closed_changed_;
  bool closed_ = false; // guarded by closed_mutex_
  std::mutex jetstream_mutex_;
  // guarded by jetstream_mutex_
  JetStreamPtr jetstream_; // constant once made
  std::map<std::string, StorePtr> stores_;
};

Result<OptionsPtr> NatsBus::Link::options(bool retry) {
  natsOptions* raw = nullptr;
  TCFDL_TRY(check(natsOptions_Create(&raw), "cannot make", "connection options"));
  OptionsPtr held(raw);
  const auto wait = settings.reconnect_wait.count();
  const auto url = fmt::format("nats://{}:{}", settings.host, settings.port);
  constexpr int kNoBuffer = 1; // a buffer of one octet is always full: publishing while disconnected fails
  for (const natsStatus status : {
           natsOptions_SetURL(raw, url.c_str()),
           settings.credential ? natsOptions_SetUserCredentialsCallbacks(raw, give_jwt, this, sign_nonce, this)
                               : NATS_OK,
           natsOptions_SetName(raw, settings.name.c_str()),
           natsOptions_SetCustomInboxPrefix(raw, settings.inbox_prefix.c_str()),
           natsOptions_SetTimeout(raw, settings.connect_timeout.count()),
           natsOptions_SetMaxReconnect(raw, -1),
           natsOptions_SetReconnectWait(raw, wait),
           natsOptions_SetReconnectJitter(raw, wait, wait),
           natsOptions_SetReconnectBufSize(raw, kNoBuffer),
           natsOptions_SetFailRequestsOnDisconnect(raw, true),
           natsOptions_SetSendAsap(raw, true),
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
  TCFDL_ASSIGN(const auto held, options(retry));
  const auto status = natsConnection_Connect(&connection, held.get());
  if (retry && status == NATS_NOT_YET_CONNECTED) return {};
  auto outcome = check(status, "cannot connect to the message queue at",
                       fmt::format("{}:{} as `{}`", settings.host, settings.port, settings.name));
  if (outcome || outcome.error().code() == Code::kUnauthenticated) return outcome;
  return make_error(Code::kUnavailable, "{}", outcome.error().message());
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
  if (natsMsgHeader_Set(raw, kCodeHeader, code.c_str()) == NATS_OK) natsConnection_PublishMsg(connection, raw);
}

Result<std::unique_ptr<NatsBus>> NatsBus::connect(const NatsBusSettings& settings) {
  auto link = std::make_shared<Link>(settings);
  auto status = link->connect(false);
  while (!status && link->met_unlucky_nonce()) {
    link = std::make_shared<Link>(settings);
    status = link->connect(false);
  }
  if (!status && status.error().code() == Code::kUnavailable && settings.retry_first_connect) {
    link = std::make_shared<Link>(settings);
    status = link->connect(true);
  }
  if (!status) return std::move(status).error();
  return std::unique_ptr<NatsBus>(new NatsBus(std::move(link)));
}

NatsBus::~NatsBus() { link_->close(); }
bool NatsBus::connected() const { return link_->connected(); }
void NatsBus::on_state(StateHandler handler) { link_->set_handler(std::move(handler)); }

Result<Bytes> NatsBus::request(std::string_view subject, BytesView body, Deadline deadline) {
  TCFDL_TRY(check_subject(subject));
  if (deadline.expired()) return Deadline::exceeded(fmt::format("a request to {}", subject));
  TCFDL_TRY(link_->require_connected());
  natsMsg* raw = nullptr;
  const auto status = natsConnection_Request(&raw, link_->connection, std::string(subject).c_str(), body.data(),
                                             static_cast<int>(body.size()), deadline.left_millis());
  const MessagePtr message(raw);
  if (status == NATS_NO_RESPONDERS) return make_error(Code::kUnavailable, "nobody serves {}", subject);
  if (status == NATS_TIMEOUT) return Deadline::exceeded(fmt::format("a request to {}", subject));
  TCFDL_TRY(check(status, "request to", subject));
  const char* code = nullptr;
  if (natsMsgHeader_Get(raw, kCodeHeader, &code) == NATS_OK) {
    return Error(code_from_name(code), std::string(as_text(data_of(raw))));
  }
  const auto answer = data_of(raw);
  return Bytes(answer.begin(), answer.end());
}

Status NatsBus::publish(std::string_view subject, BytesView data) {
  TCFDL_TRY(check_subject(subject));
  TCFDL_TRY(link_->require_connected());
  return check(natsConnection_Publish(link_->connection, std::string(subject).c_str(), data.data(),
                                      static_cast<int>(data.size())),
               "cannot publish to", subject);
}

namespace {

/// What the library's threads need of a subscription; it lives until its last callback.
struct Listener {
  SubscriptionGate gate;
  std::function<void(std::shared_ptr<Listener>, MessagePtr)> deliver;
};

class NatsSubscription final : public SubscriptionHandle {
public:
  NatsSubscription(SubscriptionPtr subscription, std::shared_ptr<Listener> listener)
      : subscription_(std::move(subscription)), listener_(std::move(listener)) {}
  ~NatsSubscription() override {
    subscription_.reset();
    listener_->gate.close();
  }

private:
  SubscriptionPtr subscription_;
  std::shared_ptr<Listener> listener_;
};

void on_message(natsConnection* /*connection*/, natsSubscription* /*subscription*/, natsMsg* raw,
                void* closure) noexcept {
  const auto listener = *static_cast<std::shared_ptr<Listener>*>(closure);
  listener->deliver(listener, MessagePtr(raw));
}

void on_complete(void* closure) noexcept { delete static_cast<std::shared_ptr<Listener>*>(closure); }

Result<Subscription> begin(natsConnection* connection, std::string_view filter, std::string_view group,
                           std::shared_ptr<Listener> listener, EndSubscription end) {
  auto closure = std::make_unique<std::shared_ptr<Listener>>(listener);
  natsSubscription* raw = nullptr;
  const std::string subject(filter);
  const auto status = group.empty()
                          ? natsConnection_Subscribe(&raw, connection, subject.c_str(), on_message, closure.get())
                          : natsConnection_QueueSubscribe(&raw, connection, subject.c_str(), std::string(group).c_str(),
                                                          on_message, closure.get());
  TCFDL_TRY(check(status, "cannot subscribe to", filter));
  natsSubscription_SetOnCompleteCB(raw, on_complete, closure.release());
  return Subscription(std::make_unique<NatsSubscription>(SubscriptionPtr(raw, std::move(end)), std::move(listener)));
}

} // namespace

Result<Subscription> NatsBus::subscribe(std::string_view filter, MessageHandler handler, std::string_view group) {
  TCFDL_TRY(check_filter(filter));
  if (!group.empty()) TCFDL_TRY(check_subject(group));
  auto listener = std::make_shared<Listener>();
  listener->deliver = [handler = std::move(handler)](const std::shared_ptr<Listener>& self, MessagePtr message) {
    self->gate.run([&] { handler(view_of(message.get())); });
  };
  TCFDL_ASSIGN(auto subscription, begin(link_->connection, filter, group, std::move(listener), {link_->ended}));
  TCFDL_TRY(link_->flush_subscription(filter));
  return subscription;
}

Result<Subscription> NatsBus::serve(std::string_view subject, ServiceHandler handler) {
  constexpr std::string_view kGroup = "services";
  TCFDL_TRY(check_filter(subject));
  auto listener = std::make_shared<Listener>();
  listener->deliver = [link = link_, handler = std::move(handler)](const std::shared_ptr<Listener>& self,
                                                                   MessagePtr message) {
    const std::string reply(text_or_empty(natsMsg_GetReply(message.get())));
    WorkerPool::Job job = [link, self, &handler, message = std::move(message)] {
      Result<Bytes> result = make_error(Code::kUnavailable, "the service is ending; try again");
      self->gate.run([&] { result = handler(view_of(message.get())); });
      link->answer(natsMsg_GetReply(message.get()), result);
    };
    if (link->pool.post(job)) return;
    link->answer(reply.c_str(), make_error(Code::kResourceExhausted, "too many requests are waiting; try again later"));
  };
  TCFDL_ASSIGN(auto subscription, begin(link_->connection, subject, kGroup, std::move(listener), {link_->ended}));
  TCFDL_TRY(link_->flush_subscription(subject));
  return subscription;
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

Status NatsBus::create_bucket(const std::string& bucket) { return link_->create_store(bucket); }

Status NatsBus::put(const std::string& bucket, const std::string& key, BytesView value) {
  TCFDL_TRY(check_key(key));
  TCFDL_ASSIGN(auto* store, link_->store(bucket));
  return check(kvStore_Put(nullptr, store, key.c_str(), value.data(), static_cast<int>(value.size())), "cannot put key",
               key);
}

Result<Bytes> NatsBus::get(const std::string& bucket, const std::string& key) {
  TCFDL_TRY(check_key(key));
  TCFDL_ASSIGN(auto* store, link_->store(bucket));
  kvEntry* raw = nullptr;
  TCFDL_TRY(check(kvStore_Get(&raw, store, key.c_str()), "cannot get key", key));
  const EntryPtr entry(raw);
  const auto* data = static_cast<const std::uint8_t*>(kvEntry_Value(raw));
  return Bytes(data, data + std::max(kvEntry_ValueLen(raw), 0));
}

Status NatsBus::remove(const std::string& bucket, const std::string& key) {
  TCFDL_TRY(check_key(key));
  TCFDL_ASSIGN(auto* store, link_->store(bucket));
  return check(kvStore_Delete(store, key.c_str()), "cannot remove key", key);
}

/// Follows a bucket on a thread of its own; a new consumer after every loss tells everything again. The library's own
/// watcher is not used: its recovery after a reconnection races with its destruction.
class NatsBus::Watch final : public SubscriptionHandle {
public:
  Watch(std::shared_ptr<Link> link, std::string bucket, WatchHandler handler)
      : shared_(std::make_shared<Shared>(std::move(link), std::move(bucket), std::move(handler))),
        thread_([shared = shared_] { follow(*shared); }) {}
  ~Watch() override {
    shared_->stopped.store(true);
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }

private:
  static constexpr int kPollMillis = 200;

  struct Shared {
    const std::shared_ptr<Link> link;
    const std::string bucket;
    const WatchHandler handler;
    std::atomic<bool> stopped = false;
  };

  static void follow(Shared& shared) {
    for (; !shared.stopped; std::this_thread::sleep_for(std::chrono::milliseconds(kPollMillis))) follow_once(shared);
  }

  /// Returns when the watch is stopped or its consumer is of no use any more.
  static void follow_once(Shared& shared) {
    const auto epoch = shared.link->epoch();
    const auto consumer = shared.link->consume(shared.bucket);
    for (std::uint64_t next = 1; consumer && !shared.stopped && shared.link->epoch() == epoch;) {
      natsMsg* raw = nullptr;
      const auto status = natsSubscription_NextMsg(&raw, consumer->get(), kPollMillis);
      const MessagePtr message(raw);
      if (status == NATS_TIMEOUT) continue;
      if (status != NATS_OK || consumer_sequence(raw) != next++) return;
      if (!shared.stopped) tell(shared, raw);
    }
  }

  static std::uint64_t consumer_sequence(natsMsg* message) {
    jsMsgMetaData* raw = nullptr;
    if (natsMsg_GetMetaData(&raw, message) != NATS_OK) return 0;
    const MetaDataPtr data(raw);
    return raw->Sequence.Consumer;
  }

  static void tell(const Shared& shared, natsMsg* message) {
    const std::string_view subject = natsMsg_GetSubject(message);
    const char* removal = nullptr;
    KeyChange change{subject.substr(std::min(key_prefix(shared.bucket).size(), subject.size())), std::nullopt};
    if (natsMsgHeader_Get(message, "KV-Operation", &removal) != NATS_OK) change.value = data_of(message);
    shared.handler(change);
  }

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

Result<Subscription> NatsBus::watch(const std::string& bucket, WatchHandler handler) {
  TCFDL_TRY(link_->store(bucket));
  return Subscription(std::make_unique<Watch>(link_, bucket, std::move(handler)));
}

} // namespace tcfdl::message_queue
