#include "topics/reading.hpp"

#include "base/log.hpp"

namespace tcfdl::topics {
namespace {

using std::chrono::milliseconds;

/// Of one answer, which is one frame.
constexpr std::size_t kMostBytes = std::size_t{900} << 10U;
constexpr milliseconds kFirstPause{1000};
constexpr milliseconds kLongestPause{60'000};

/// Before a message is delivered again that failed so often.
milliseconds pause_after(std::uint32_t deliveries) {
  const auto doubled = kFirstPause * (std::int64_t{1} << std::min<std::uint32_t>(deliveries - 1, 10));
  return std::min(doubled, kLongestPause);
}

} // namespace

Status Reading::ensure_reader(const TopicRecord& topic, const SubscriptionRecord& subscription) {
  if (opened_.reader && reader_ == subscription.reader && opened_.log == copy_->log()) return {};
  opened_.reader.reset();
  {
    const std::scoped_lock lock(mutex_);
    open_.clear();
  }
  TCFDL_ASSIGN(opened_, copy_->open(subscription, milliseconds(topic.descriptor.topic().handling_ms())));
  reader_ = subscription.reader;
  return {};
}

Result<std::vector<wire::JournalEntry>> Reading::entries_of(const std::vector<Message>& messages) {
  std::vector<wire::JournalEntry> entries;
  for (const auto& message : messages) {
    auto entry = wire::parse<wire::JournalEntry>(message->data());
    if (!entry || entry->sequence() != opened_.base + message->number()) {
      copy_->discard();
      opened_.reader.reset();
      return make_error(Code::kUnavailable, "the message queue's copy of the topic is damaged; it is made anew");
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<wire::TopicDeliveries> Reading::fetch(const TopicRecord& topic, const SubscriptionRecord& subscription,
                                             std::size_t most, milliseconds wait) {
  wire::TopicDeliveries deliveries;
  const std::unique_lock lock(fetching_, wait);
  if (!lock) return deliveries; // another one has waited for as long
  TCFDL_TRY(ensure_reader(topic, subscription));
  auto fetched = opened_.reader->fetch(most, kMostBytes, wait);
  if (!fetched) {
    opened_.reader.reset();
    copy_->distrust();
    return fetched.error();
  }
  TCFDL_ASSIGN(const auto entries, entries_of(*fetched));
  std::vector<std::uint64_t> sequences;
  for (const auto& entry : entries) sequences.push_back(entry.sequence());
  TCFDL_ASSIGN(const auto turns,
               journal_.begin_deliveries(subscription.id, sequences, topic.descriptor.topic().most_deliveries()));
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (!turns[i].deliver) {
      (*fetched)[i]->settle();
      continue;
    }
    auto& delivery = *deliveries.add_deliveries();
    delivery.set_sequence(entries[i].sequence());
    delivery.set_stored_ms(entries[i].stored_ms());
    delivery.set_delivery(turns[i].delivery);
    TCFDL_ASSIGN(*delivery.mutable_message(), wire::parse<wire::TopicMessage>(entries[i].message()));
    const std::scoped_lock open_lock(mutex_);
    open_.insert_or_assign(entries[i].sequence(), Open{turns[i].delivery, std::move((*fetched)[i])});
  }
  return deliveries;
}

std::optional<Reading::Open> Reading::take(const wire::SettleMessage& settled) {
  const std::scoped_lock lock(mutex_);
  const auto found = open_.find(settled.sequence());
  if (found == open_.end() || found->second.delivery != settled.delivery()) return std::nullopt;
  auto open = std::move(found->second);
  open_.erase(found);
  return open;
}

Status Reading::settle(const TopicRecord& topic, std::int64_t subscription, const wire::SettleMessage& settled) {
  switch (settled.settlement()) {
  case wire::SETTLEMENT_HANDLED: return handled(subscription, settled);
  case wire::SETTLEMENT_FAILED: return failed(topic, subscription, settled);
  case wire::SETTLEMENT_RETURNED: return returned(subscription, settled);
  case wire::SETTLEMENT_WORKING: return working(settled);
  default: return Error(Code::kInvalidArgument, "a settlement is one of handled, failed, working and returned");
  }
}

/// Also when the message was given to another meanwhile, or this process began after the delivery.
Status Reading::handled(std::int64_t subscription, const wire::SettleMessage& settled) {
  const auto open = take(settled);
  TCFDL_TRY(journal_.settle(subscription, settled.sequence()));
  if (open) open->message->settle();
  return {};
}

Status Reading::failed(const TopicRecord& topic, std::int64_t subscription, const wire::SettleMessage& settled) {
  const auto open = take(settled);
  if (!open) return {}; // another delivery decides
  TCFDL_ASSIGN(const auto dead,
               journal_.fail(subscription, settled.sequence(), topic.descriptor.topic().most_deliveries()));
  if (dead) {
    spdlog::warn("message {} of {} is a dead letter after {} deliveries", settled.sequence(), topic.descriptor.name(),
                 open->delivery);
    open->message->settle();
  } else {
    open->message->put_back(pause_after(open->delivery));
  }
  return {};
}

Status Reading::returned(std::int64_t subscription, const wire::SettleMessage& settled) {
  const auto open = take(settled);
  if (!open) return {};
  TCFDL_TRY(journal_.give_back(subscription, settled.sequence()));
  open->message->put_back(milliseconds(1));
  return {};
}

/// The delivery stays open all the while: its handler may end, and say so, at any moment.
Status Reading::working(const wire::SettleMessage& settled) {
  const std::scoped_lock lock(mutex_);
  const auto found = open_.find(settled.sequence());
  if (found == open_.end() || found->second.delivery != settled.delivery()) {
    return make_error(Code::kAborted, "message {} was delivered to another meanwhile", settled.sequence());
  }
  found->second.message->keep();
  return {};
}

} // namespace tcfdl::topics
