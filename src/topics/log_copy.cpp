#include "topics/log_copy.hpp"

#include "base/log.hpp"

namespace tcfdl::topics {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{4} << 20U;

} // namespace

Status LogCopy::forward() {
  const std::scoped_lock lock(mutex_);
  TCFDL_TRY(settle_trust());
  auto appended = append_all();
  if (!appended && (appended.error().code() == Code::kDataLoss || appended.error().code() == Code::kNotFound)) {
    TCFDL_TRY(rebuild(appended.error().message()));
    appended = append_all();
  }
  if (!appended && trust_ == Trust::kTrusted) trust_ = Trust::kLook;
  return appended;
}

Status LogCopy::append_all() {
  for (;;) {
    TCFDL_ASSIGN(const auto entries, journal_.read(topic_.id, forwarded_, kReadAtOnce));
    if (entries.empty()) return {};
    for (const auto& entry : entries) {
      TCFDL_TRY(logs_.append_to_log(topic_.log, forwarded_ - topic_.base, entry));
      ++forwarded_;
    }
  }
}

void LogCopy::distrust() {
  const std::scoped_lock lock(mutex_);
  if (trust_ == Trust::kTrusted) trust_ = Trust::kLook;
}

void LogCopy::discard() {
  const std::scoped_lock lock(mutex_);
  trust_ = Trust::kNone;
}

Status LogCopy::settle_trust() {
  if (trust_ == Trust::kTrusted) return {};
  if (trust_ == Trust::kNone) return rebuild("the machine or the queue went down since");
  TCFDL_TRY(look());
  trust_ = Trust::kTrusted;
  return {};
}

/// Numbers in the copy are sequences less the base, without a gap: so its ends and its size tell whether it is whole.
Status LogCopy::look() {
  const auto state = logs_.log_state(topic_.log);
  if (!state && state.error().code() == Code::kNotFound) return rebuild("it is not there");
  TCFDL_TRY(state);
  TCFDL_ASSIGN(const auto kept, journal_.get(topic_.descriptor.name()));
  const bool whole = state->count == 0 || state->count == state->last - state->first + 1;
  const auto reached = topic_.base + state->last;
  const auto begins = state->count == 0 ? reached + 1 : topic_.base + state->first;
  if (!whole || begins > kept.first || reached < forwarded_ || reached > kept.last || reached + 1 < kept.first) {
    return rebuild("messages are missing");
  }
  forwarded_ = reached;
  return {};
}

Status LogCopy::rebuild(std::string_view why) {
  const auto before = topic_.log;
  trust_ = Trust::kNone; // until all of it is done
  TCFDL_ASSIGN(topic_, journal_.begin_log(topic_.id));
  forwarded_ = topic_.base;
  trimmed_ = topic_.first;
  TCFDL_TRY(logs_.create_log(topic_.log));
  trust_ = Trust::kTrusted;
  if (topic_.last > 0) {
    spdlog::warn("the message queue's copy of topic {} is made anew from the journal, {} messages: {}",
                 topic_.descriptor.name(), topic_.last + 1 - topic_.first, why);
  }
  const auto removed = logs_.remove_log(before);
  if (!removed) spdlog::info("the old copy {} stays: {}", before, removed.error().message());
  return {};
}

Status LogCopy::trim(std::uint64_t first) {
  const std::scoped_lock lock(mutex_);
  if (first <= trimmed_ || first <= topic_.base + 1 || trust_ != Trust::kTrusted) return {};
  TCFDL_TRY(logs_.trim_log(topic_.log, first - topic_.base));
  trimmed_ = first;
  return {};
}

Status LogCopy::remove() {
  const std::scoped_lock lock(mutex_);
  return logs_.remove_log(topic_.log);
}

Result<LogCopy::Opened> LogCopy::open(const SubscriptionRecord& subscription, std::chrono::milliseconds handling) {
  const std::scoped_lock lock(mutex_);
  TCFDL_TRY(settle_trust());
  const auto start = std::max(subscription.settled, topic_.base) + 1 - topic_.base;
  TCFDL_ASSIGN(auto reader, logs_.open_reader(topic_.log, subscription.reader, {.start = start, .time = handling}));
  return Opened{std::move(reader), topic_.log, topic_.base};
}

std::string LogCopy::log() const {
  const std::scoped_lock lock(mutex_);
  return topic_.log;
}

} // namespace tcfdl::topics
