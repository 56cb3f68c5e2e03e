#include "support/load.hpp"

#include "support/process.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace tcfdl::test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

/// Of the platform, for what is away, busy or too slow. All else would be a wrong answer.
bool is_fair(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kResourceExhausted;
}

constexpr auto kSubmissionTimeout = seconds(60);

} // namespace

MakeCall calls_of(Client& client, std::string function, Protection protection) {
  return [&client, function = std::move(function), protection](const std::string& body,
                                                               milliseconds timeout) -> Result<std::string> {
    CallOptions options;
    options.timeout = timeout;
    options.protection = protection;
    auto result = client.call(function, as_bytes(body), options);
    if (!result) return result.error();
    return std::string(as_text(result->body));
  };
}

Load::Load(MakeCall call, const Journal& journal, LoadSettings settings)
    : call_(std::move(call)), journal_(journal), settings_(std::move(settings)) {
  for (unsigned i = 0; i < settings_.callers; ++i) callers_.emplace_back([this, i] { call_loop(i); });
}

void Load::call_loop(unsigned caller) {
  for (unsigned serial = 0; !over_; ++serial) {
    LoadedCall made{.id = fmt::format("{}-{}-{}", settings_.name, caller, serial),
                    .began = steady_clock::now(),
                    .timeout = settings_.timeout};
    made.outcome = call_(journal_.body(settings_.work, made.id), made.timeout);
    made.took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - made.began);
    {
      const std::scoped_lock lock(mutex_);
      calls_.push_back(std::move(made));
    }
    std::this_thread::sleep_for(settings_.pause);
  }
}

std::size_t Load::count_since(steady_clock::time_point since, bool failures_too) const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(
      calls_, [&](const auto& call) { return call.began >= since && (failures_too || call.outcome); }));
}

bool Load::serves(std::size_t calls) const {
  const auto now = steady_clock::now();
  return eventually([&] { return count_since(now, false) >= calls; });
}

bool Load::ends(std::size_t calls) const {
  const auto now = steady_clock::now();
  return eventually([&] { return count_since(now, true) >= calls; }, seconds(120));
}

void Load::stop() {
  over_ = true;
  for (auto& caller : callers_) caller.join();
  callers_.clear();
}

std::string Load::violations() const {
  std::string all;
  const std::scoped_lock lock(mutex_);
  for (const auto& call : calls_) all += violation(call);
  return all;
}

std::string Load::violation(const LoadedCall& call) const {
  const auto told = [&](std::string_view what) {
    return fmt::format("{} after {} ms of {}: {} ({}), {} runs\n", call.id, call.took.count(), call.timeout.count(),
                       what, call.outcome ? *call.outcome : call.outcome.error().to_string(), journal_.runs(call.id));
  };
  const auto runs = journal_.runs(call.id);
  const auto allowance = call.timeout + 20 * noise_.worst();
  if (call.took > call.timeout + allowance) return told("it hung");
  if (runs > 1 && !settings_.may_run_twice) return told("it ran twice");
  if (call.outcome && *call.outcome != call.id) return told("another answer");
  if (call.outcome && runs == 0) return told("an answer that no handler gave");
  if (call.outcome) return {};
  if (!is_fair(call.outcome.error().code())) return told("the wrong code");
  if (call.outcome.error().code() == Code::kDeadlineExceeded && call.took < call.timeout / 2) {
    return told("its time was not over");
  }
  return {};
}

std::size_t Load::failures() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(calls_, [](const auto& call) { return !call.outcome; }));
}

std::string Load::summary() const {
  std::map<std::string_view, unsigned> outcomes;
  const std::scoped_lock lock(mutex_);
  for (const auto& call : calls_) ++outcomes[call.outcome ? "OK" : code_name(call.outcome.error().code())];
  auto text = fmt::format("{} calls:", settings_.name);
  for (const auto& [code, times] : outcomes) text += fmt::format(" {} {}", times, code);
  return text + fmt::format("; threads were up to {} ms late", noise_.worst().count());
}

Submissions::Submissions(Client& client, std::string function, const Journal& journal, LoadSettings settings)
    : client_(client), function_(std::move(function)), journal_(journal), settings_(std::move(settings)),
      thread_([this] { submit_loop(); }) {}

void Submissions::submit_loop() {
  for (unsigned serial = 0; !over_; ++serial) {
    SubmitOptions options;
    options.timeout = kSubmissionTimeout;
    const auto id = fmt::format("{}-submitted-{}", settings_.name, serial);
    const auto task = client_.submit(function_, as_bytes(journal_.body(settings_.work, id)), options);
    if (task) {
      const std::scoped_lock lock(mutex_);
      submitted_.push_back({*task, id});
    }
    std::this_thread::sleep_for(10 * settings_.pause);
  }
}

std::size_t Submissions::acknowledged() const {
  const std::scoped_lock lock(mutex_);
  return submitted_.size();
}

void Submissions::stop() {
  over_ = true;
  if (thread_.joinable()) thread_.join();
}

std::string Submissions::violations() {
  std::string all;
  for (const auto& task : submitted_) all += violation(task);
  summary_ = fmt::format("{} submitted tasks:", submitted_.size());
  for (const auto& [end, times] : ends_) summary_ += fmt::format(" {} {}", times, end);
  return all;
}

std::string Submissions::violation(const Submitted& task) {
  Result<TaskOutcome> outcome = Error(Code::kUnknown, "");
  const bool ended = eventually(
      [&] {
        outcome = client_.task_wait(task.task, seconds(5));
        return outcome ? outcome->info.ended() : outcome.error().code() == Code::kNotFound;
      },
      2 * kSubmissionTimeout);
  const auto told = [&](std::string_view what) {
    const auto state = outcome ? std::string(task_state_name(outcome->info.state)) : outcome.error().to_string();
    const auto why = outcome && outcome->info.error ? outcome->info.error->to_string() : std::string();
    return fmt::format("{} {}: {} ({} {}), {} runs\n", task.id, task.task, what, state, why, journal_.runs(task.id));
  };
  if (!ended) return told("it has no end");
  if (!outcome) return told("it is lost");
  ++ends_[std::string(task_state_name(outcome->info.state))];
  const auto runs = journal_.runs(task.id);
  if (runs > 1 && !settings_.may_run_twice) return told("it ran twice");
  if (outcome->info.state == TaskState::kSucceeded) {
    return as_text(outcome->result) == task.id && runs > 0 ? std::string() : told("another result");
  }
  if (!outcome->info.error) return told("the wrong end");
  const auto code = outcome->info.error->code();
  const bool is_said = is_fair(code) || (settings_.clocks_are_set && code == Code::kFailedPrecondition);
  return is_said ? std::string() : told("the wrong end");
}

namespace {

LoadSettings named(LoadSettings settings, std::string name, unsigned callers) {
  settings.name = std::move(name);
  settings.callers = callers;
  return settings;
}

} // namespace

MixedLoad::MixedLoad(Client& client, const std::string& function, const Journal& journal, LoadSettings settings)
    : direct_(calls_of(client, function), journal, named(settings, "direct", settings.callers)),
      relayed_(calls_of(client, function, Protection::kHse), journal, named(settings, "relayed", 2)),
      submitted_(client, function, journal, {.name = function, .clocks_are_set = settings.clocks_are_set}) {}

std::string MixedLoad::violations() {
  submitted_.stop();
  direct_.stop();
  relayed_.stop();
  return direct_.violations() + relayed_.violations() + submitted_.violations();
}

} // namespace tcfdl::test
