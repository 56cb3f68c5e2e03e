#include "message_queue/nats_bus.hpp"

#include "message_queue/names.hpp"
#include "message_queue/nats_link.hpp"
#include "message_queue/subscription_gate.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <thread>

namespace tcfdl::message_queue {
namespace {

BytesView data_of(const natsMsg* message) {
  return {reinterpret_cast<const std::uint8_t*>(natsMsg_GetData(message)),
          static_cast<std::size_t>(std::max(natsMsg_GetDataLength(message), 0))};
}

Message view_of(const natsMsg* message) {
  return {natsMsg_GetSubject(message), text_or_empty(natsMsg_GetReply(message)), data_of(message)};
}

} // namespace

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
    Error error(code_from_name(code), std::string(as_text(data_of(raw))));
    const char* retry_after = nullptr;
    std::uint32_t millis = 0;
    if (natsMsgHeader_Get(raw, kRetryAfterHeader, &retry_after) == NATS_OK) {
      std::from_chars(retry_after, retry_after + std::strlen(retry_after), millis);
    }
    error.set_retry_after(std::chrono::milliseconds(millis));
    return error;
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
