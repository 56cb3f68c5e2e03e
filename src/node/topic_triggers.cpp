#include "node/topic_triggers.hpp"

#include "base/log.hpp"

namespace tcfdl::node {
namespace {

constexpr std::chrono::seconds kReconcileEvery{1};
/// Messages of one topic on their way to one function.
constexpr unsigned kMostThreads = 16;

bool is_triggers(const topics::SubscriptionId& who) { return who.owner.starts_with("function:"); }

} // namespace

void TopicTriggers::start() {
  if (!keeper_.joinable()) keeper_ = std::thread([this] { keep(); });
}

void TopicTriggers::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (keeper_.joinable()) keeper_.join();
  running_.clear();
}

void TopicTriggers::keep() {
  for (;;) {
    if (const auto done = reconcile(); !done) spdlog::warn("triggers stay as they are: {}", done.error().to_string());
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, kReconcileEvery, [this] { return stopping_; })) return;
  }
}

/// A trigger runs where both owners want it and topic and function are here. One that cannot run holds up no other.
Status TopicTriggers::reconcile() {
  TCFDL_ASSIGN(const auto functions, functions_.list());
  TCFDL_ASSIGN(const auto topics, parts_.topics.list());
  std::set<Name> wanted;
  for (const auto& topic : topics) {
    for (const auto& function : functions) {
      if (!wire::admits_trigger(topic.descriptor, function.descriptor)) continue;
      const Name name{topic.descriptor.name(), function.descriptor.name()};
      wanted.insert(name);
      if (const auto begun = begin(name, function); !begun)
        spdlog::warn("messages of {} do not trigger {}: {}", name.first, name.second, begun.error().to_string());
    }
  }
  std::erase_if(running_, [&](const auto& running) { return !wanted.contains(running.first); });
  for (const auto& topic : topics) {
    if (const auto removed = remove_subscriptions(topic, wanted); !removed)
      spdlog::warn("{} keeps subscriptions of triggers: {}", topic.descriptor.name(), removed.error().to_string());
  }
  return {};
}

/// Unless it runs for that version.
Status TopicTriggers::begin(const Name& name, const function_manager::FunctionRecord& function) {
  const auto found = running_.find(name);
  if (found != running_.end() && found->second.version == function.descriptor.version()) return {};
  TCFDL_TRY(parts_.topics.subscribe(name.first, TopicTrigger::subscriber(name.second), {}, false));
  if (found != running_.end()) running_.erase(found); // before another begins
  const auto at_once =
      std::uint64_t{function.descriptor.concurrency()} * std::max<std::uint64_t>(function.settings.scale.max, 1);
  const auto threads = static_cast<unsigned>(std::min<std::uint64_t>(at_once, kMostThreads));
  running_[name] = {std::make_unique<TopicTrigger>(parts_, name.first, name.second, threads),
                    function.descriptor.version()};
  spdlog::info("messages of {} trigger {}", name.first, name.second);
  return {};
}

/// Of functions that are gone or do not want the topic any more.
Status TopicTriggers::remove_subscriptions(const topics::TopicRecord& topic, const std::set<Name>& wanted) {
  const auto& name = topic.descriptor.name();
  TCFDL_ASSIGN(const auto subscriptions, parts_.topics.subscriptions(name, {}));
  for (const auto& each : subscriptions) {
    const topics::SubscriptionId who{each.owner(), each.name()};
    if (!is_triggers(who) || wanted.contains({name, who.owner.substr(std::string_view("function:").size())})) continue;
    TCFDL_TRY(parts_.topics.unsubscribe(name, who));
  }
  return {};
}

} // namespace tcfdl::node
