// Owners of the NATS library's objects. Part of the adapter: only nats_link.hpp includes it.
#pragma once

#include "base/guarded.hpp"

#include <memory>
#include <nats/nats.h>
#include <vector>

namespace tcfdl::message_queue {

template <auto Destroy> struct Destroyer {
  template <class T> void operator()(T* object) const noexcept { Destroy(object); }
};
using OptionsPtr = std::unique_ptr<natsOptions, Destroyer<natsOptions_Destroy>>;
using MessagePtr = std::unique_ptr<natsMsg, Destroyer<natsMsg_Destroy>>;
using EntryPtr = std::unique_ptr<kvEntry, Destroyer<kvEntry_Destroy>>;
using MetaDataPtr = std::unique_ptr<jsMsgMetaData, Destroyer<jsMsgMetaData_Destroy>>;
using StorePtr = std::unique_ptr<kvStore, Destroyer<kvStore_Destroy>>;
using JetStreamPtr = std::unique_ptr<jsCtx, Destroyer<jsCtx_Destroy>>;

/// Keeps ended subscriptions until the library has forgotten them: its reading thread may still lock one, for the
/// message that it was reading when the subscription ended (a defect of nats.c before 3.6). A PONG that answers a later
/// PING shows that the thread has gone on. Any thread.
class EndedSubscriptions {
public:
  using Ended = std::vector<std::unique_ptr<natsSubscription, Destroyer<natsSubscription_Destroy>>>;

  void add(natsSubscription* subscription) {
    ended_.with([&](Ended& ended) { ended.emplace_back(subscription); });
  }

  /// Waits for the server like natsConnection_FlushTimeout and frees what ended before.
  natsStatus flush(natsConnection* connection, std::int64_t timeout_millis) {
    auto before = ended_.with([](Ended& ended) { return std::exchange(ended, {}); });
    const auto status = natsConnection_FlushTimeout(connection, timeout_millis);
    if (status == NATS_OK) return status;
    ended_.with([&](Ended& ended) {
      for (auto& subscription : before) ended.push_back(std::move(subscription));
    });
    return status;
  }

private:
  Guarded<Ended> ended_;
};

/// Ends a subscription at the server and leaves its memory to `ended`.
struct EndSubscription {
  std::shared_ptr<EndedSubscriptions> ended;
  void operator()(natsSubscription* subscription) const {
    natsSubscription_Unsubscribe(subscription);
    ended->add(subscription);
  }
};
using SubscriptionPtr = std::unique_ptr<natsSubscription, EndSubscription>;

} // namespace tcfdl::message_queue
