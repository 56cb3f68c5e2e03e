#include "topics/topics.hpp"

#include "base/log.hpp"

namespace tcfdl::topics {
namespace {

using std::chrono::milliseconds;

/// How soon a fetch notices that nobody waits for it any more.
constexpr milliseconds kSlice{500};
constexpr milliseconds kPauseAfterError{100};

wire::SubscriptionInfo info_of(const TopicRecord& topic, const SubscriptionState& subscription) {
  wire::SubscriptionInfo info;
  info.set_topic(topic.descriptor.name());
  info.set_owner(subscription.who.owner);
  info.set_name(subscription.who.name);
  info.set_settled(subscription.settled);
  info.set_waiting(subscription.waiting);
  info.set_dead(subscription.dead);
  info.set_last(topic.last);
  return info;
}

} // namespace

Status Topics::start() {
  TCFDL_ASSIGN(const auto rebooted, journal_.begin_boot(settings_.boot));
  const std::scoped_lock lock(mutex_);
  discard_ = rebooted;
  deaths_ = settings_.queue_deaths();
  if (!keeper_.joinable()) keeper_ = std::thread([this] { keep(); });
  return {};
}

void Topics::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  const std::scoped_lock lock(mutex_);
  readings_.clear();
}

Status Topics::put(const wire::Signed& statement, const wire::Descriptor& descriptor) {
  TCFDL_TRY(journal_.put(statement, descriptor));
  wake(descriptor.name());
  return {};
}

Status Topics::remove(const std::string& topic) {
  TCFDL_ASSIGN(const auto record, journal_.get(topic));
  TCFDL_TRY(journal_.remove(topic));
  const auto copy = copy_of(record);
  {
    const std::scoped_lock lock(mutex_);
    copies_.erase(record.id);
    std::erase_if(readings_, [&](const auto& reading) { return reading.first.first == record.id; });
  }
  const auto removed = copy->remove();
  if (!removed) spdlog::info("the message queue keeps what was in topic {}: {}", topic, removed.error().message());
  return {};
}

Result<wire::PublishedMessage> Topics::publish(const std::string& publisher_key, const wire::TopicHeader& header,
                                               const wire::PublishMessage& message) {
  TCFDL_ASSIGN(const auto topic, journal_.get(header.topic()));
  TCFDL_ASSIGN(auto published, journal_.append(topic, publisher_key, header, message));
  if (!published.duplicate()) wake(header.topic());
  return published;
}

void Topics::wake(const std::string& topic) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.insert(topic);
  }
  changed_.notify_all();
}

Result<wire::SubscriptionInfo> Topics::subscribe(const std::string& topic, const SubscriptionId& who,
                                                 const Start& start, bool replay) {
  TCFDL_ASSIGN(const auto record, journal_.get(topic));
  TCFDL_ASSIGN(const auto subscription, journal_.subscribe(record, who, start, replay));
  TCFDL_ASSIGN(const auto now, journal_.get(topic));
  return info_of(now, subscription);
}

Result<std::vector<wire::SubscriptionInfo>> Topics::subscriptions(const std::string& topic, const std::string& owner) {
  TCFDL_ASSIGN(const auto record, journal_.get(topic));
  TCFDL_ASSIGN(const auto all, journal_.subscriptions(record));
  std::vector<wire::SubscriptionInfo> infos;
  for (const auto& subscription : all) {
    if (owner.empty() || subscription.who.owner == owner) infos.push_back(info_of(record, subscription));
  }
  return infos;
}

Status Topics::unsubscribe(const std::string& topic, const SubscriptionId& who) {
  TCFDL_ASSIGN(const auto record, journal_.get(topic));
  TCFDL_ASSIGN(const auto subscription, journal_.subscription(record, who));
  TCFDL_TRY(journal_.unsubscribe(subscription.id));
  drop_reading({record.id, subscription.id});
  const auto removed = logs_.remove_reader(copy_of(record)->log(), subscription.reader);
  if (!removed) spdlog::info("the message queue keeps a reader of topic {}: {}", topic, removed.error().message());
  return {};
}

Result<wire::TopicDeliveries> Topics::fetch(const std::string& topic, const SubscriptionId& who, std::size_t most,
                                            milliseconds wait, const std::stop_token& gone) {
  const auto deadline = Deadline::after(wait);
  for (;;) {
    TCFDL_ASSIGN(const auto record, journal_.get(topic));
    TCFDL_ASSIGN(const auto subscription, journal_.subscription(record, who));
    const auto slice = std::min(milliseconds(deadline.left_millis()), kSlice);
    auto fetched = reading_of(record, subscription.id)->fetch(record, subscription, most, slice);
    if (fetched && fetched->deliveries_size() > 0) return fetched;
    if (gone.stop_requested() || deadline.expired()) return fetched;
    if (!fetched && !fetched.error().unanswered() && fetched.error().code() != Code::kNotFound) return fetched;
    if (pause(fetched ? milliseconds(0) : kPauseAfterError)) return wire::TopicDeliveries();
  }
}

Status Topics::settle(const SubscriptionId& who, const wire::SettleMessage& settled) {
  TCFDL_ASSIGN(const auto record, journal_.get(settled.subscription().topic()));
  TCFDL_ASSIGN(const auto subscription, journal_.subscription(record, who));
  return reading_of(record, subscription.id)->settle(record, subscription.id, settled);
}

Result<wire::DeadLetters> Topics::dead_letters(const std::string& topic, const SubscriptionId& who) {
  TCFDL_ASSIGN(const auto record, journal_.get(topic));
  TCFDL_ASSIGN(const auto subscription, journal_.subscription(record, who));
  return journal_.dead_letters(record, subscription.id);
}

std::shared_ptr<LogCopy> Topics::copy_of(const TopicRecord& topic) {
  const std::scoped_lock lock(mutex_);
  auto& copy = copies_[topic.id];
  if (!copy) {
    copy = std::make_shared<LogCopy>(journal_, logs_, topic);
    if (discard_) copy->discard();
  }
  return copy;
}

std::shared_ptr<Reading> Topics::reading_of(const TopicRecord& topic, std::int64_t subscription) {
  auto copy = copy_of(topic);
  const std::scoped_lock lock(mutex_);
  auto& reading = readings_[{topic.id, subscription}];
  if (!reading) reading = std::make_shared<Reading>(journal_, std::move(copy));
  return reading;
}

void Topics::drop_reading(const ReadingKey& key) {
  const std::scoped_lock lock(mutex_);
  readings_.erase(key);
}

/// Whether the topics stop.
bool Topics::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return stopping_; });
}

void Topics::keep() {
  auto look_again = Deadline::after(settings_.look_again_every);
  auto next = Deadline::after(milliseconds(0));
  for (;;) {
    std::set<std::string> waiting;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, next.when(), [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      waiting.swap(waiting_);
    }
    for (const auto& name : waiting) {
      if (const auto topic = journal_.get(name)) look_after(*topic, false);
    }
    if (!next.expired()) continue;
    discard_after_death();
    look_after_all(look_again.expired());
    if (look_again.expired()) look_again = Deadline::after(settings_.look_again_every);
    next = Deadline::after(settings_.look_after_every);
  }
}

/// What is in its files may be other than it was, with the counts of before.
void Topics::discard_after_death() {
  const auto deaths = settings_.queue_deaths();
  std::unique_lock lock(mutex_);
  if (std::exchange(deaths_, deaths) == deaths) return;
  const auto copies = copies_;
  lock.unlock(); // a copy may be busy for as long as a request takes
  for (const auto& [topic, copy] : copies) copy->discard();
}

void Topics::look_after_all(bool look_again) {
  const auto topics = journal_.list();
  if (!topics) return spdlog::error("the topics cannot be read: {}", topics.error().message());
  for (const auto& topic : *topics) look_after(topic, look_again);
}

void Topics::look_after(const TopicRecord& topic, bool look_again) {
  const auto copy = copy_of(topic);
  if (look_again) copy->distrust();
  const auto forwarded = copy->forward();
  if (!forwarded && !forwarded.error().unanswered()) {
    spdlog::warn("topic {} is not delivered now: {}", topic.descriptor.name(), forwarded.error().message());
  }
  const auto first = journal_.prune(topic);
  const auto done = first ? copy->trim(*first) : Status(first.error());
  if (!done && !done.error().unanswered()) {
    spdlog::warn("topic {} is not pruned: {}", topic.descriptor.name(), done.error().message());
  }
}

} // namespace tcfdl::topics
