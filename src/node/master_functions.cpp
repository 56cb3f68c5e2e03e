#include "node/master_functions.hpp"

#include "base/log.hpp"
#include "instance_manager/names.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kRegistrationLifetime = 30; // seconds
constexpr milliseconds kRenewEvery{5000};
constexpr milliseconds kRetryRenewal{1000};

task_manager::ScaleBounds bounds_of(const function_manager::Scale& scale) {
  return {.min = scale.min, .max = scale.max, .response_time = milliseconds(scale.response_time_ms)};
}

task_manager::FunctionPolicy policy_of(const function_manager::FunctionRecord& record) {
  const auto& descriptor = record.descriptor;
  task_manager::FunctionPolicy policy;
  policy.name = FunctionName(descriptor.name());
  policy.version = descriptor.version();
  policy.concurrency = descriptor.concurrency();
  policy.queue_limit = descriptor.queue_limit();
  policy.idempotent = descriptor.idempotent();
  policy.bursts = !descriptor.isolate_instance(); // its capsules are for one task each
  policy.descriptor = record.signed_descriptor;
  policy.assurance = "software";
  return policy;
}

instance_manager::WantedFunction wanted_of(const function_manager::FunctionRecord& record, std::size_t scale,
                                           std::size_t keep) {
  const auto& resources = record.settings.resources;
  const auto& health = record.settings.health;
  return {.descriptor = record.signed_descriptor,
          .manifest = wire::field(record.manifest),
          .scale = scale,
          .keep = keep,
          .warm = record.settings.scale.warm,
          .needs = {resources.memory, resources.enclave_memory, resources.millicores, record.settings.labels,
                    resources.processes, resources.most_millicores},
          .health = {.ready_within = milliseconds(health.ready_within_ms),
                     .answer_within = milliseconds(health.answer_within_ms),
                     .overdue = milliseconds(health.overdue_ms),
                     .trial = milliseconds(health.trial_ms),
                     .failures = health.failures}};
}

/// Whether the registry will say the same next time: another owner, an older version, a bad signature.
bool is_refusal(const Error& error) {
  switch (error.code()) {
  case Code::kPermissionDenied:
  case Code::kFailedPrecondition:
  case Code::kAlreadyExists:
  case Code::kUnauthenticated:
  case Code::kInvalidArgument: return true;
  default: return false;
  }
}

} // namespace

Status RegisteredFunctions::register_function(const wire::Signed& descriptor,
                                              const std::optional<wire::KeyPackage>& content_key) {
  wire::RegistryRequest request;
  *request.mutable_register_function() = descriptor;
  if (content_key) *request.mutable_content_key() = *content_key;
  TCFDL_TRY(service_manager_.registry(request, Deadline::after(seconds(5))));
  return {};
}

Result<bool> RegisteredFunctions::stage_function(const wire::Signed& descriptor,
                                                 const std::optional<wire::KeyPackage>& content_key) {
  wire::RegistryRequest request;
  *request.mutable_stage_function() = descriptor;
  if (content_key) *request.mutable_content_key() = *content_key;
  TCFDL_ASSIGN(const auto reply, service_manager_.registry(request, Deadline::after(seconds(5))));
  return !reply.in_force();
}

Status RegisteredFunctions::withdraw_function(const std::string& name) {
  wire::RegistryRequest request;
  request.set_withdraw_function(name);
  TCFDL_TRY(service_manager_.registry(request, Deadline::after(seconds(5))));
  return {};
}

Status RegisteredFunctions::unregister_function(const std::string& name) {
  wire::RegistryRequest request;
  request.set_unregister_function(name);
  TCFDL_TRY(service_manager_.registry(request, Deadline::after(seconds(5))));
  return {};
}

Result<std::vector<std::string>> RegisteredFunctions::renew(const std::vector<std::string>& functions) {
  wire::RegistryRequest request;
  auto& renewal = *request.mutable_renew();
  *renewal.mutable_link() = link_;
  renewal.set_lifetime(kRegistrationLifetime);
  for (const auto& name : functions) renewal.add_functions(name);
  TCFDL_ASSIGN(const auto reply, service_manager_.registry(request, Deadline::after(seconds(5))));
  return std::vector<std::string>(reply.renewed().missing().begin(), reply.renewed().missing().end());
}

Status MasterFunctions::restore() {
  TCFDL_ASSIGN(const auto records, functions_.list());
  for (const auto& record : records) TCFDL_TRY(open(record, record.settings.scale.max));
  TCFDL_ASSIGN(const auto candidates, functions_.candidates());
  for (const auto& record : candidates) TCFDL_TRY(begin_trial(record));
  return {};
}

bool MasterFunctions::renew_now() {
  const auto renewed = functions_.renew();
  if (!renewed) {
    spdlog::log(reached_ ? spdlog::level::warn : spdlog::level::debug, "cannot renew the registration: {}",
                renewed.error().message());
  } else {
    if (!reached_) spdlog::info("the registration is renewed again");
    for (const auto& name : renewed->registered) reopen(name);
    for (const auto& [name, error] : renewed->failed) {
      if (is_refusal(error)) {
        close(name, error);
      } else {
        spdlog::warn("cannot register or unregister {}: {}", name, error.to_string());
      }
    }
  }
  return reached_ = renewed.has_value();
}

void MasterFunctions::start() {
  renewer_ = std::thread([this] { renew_loop(); });
}

void MasterFunctions::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  wake_.notify_all();
  if (renewer_.joinable()) renewer_.join();
}

Result<function_manager::Deployed> MasterFunctions::deploy(const function_manager::Deployment& deployment) {
  TCFDL_ASSIGN(auto deployed, functions_.deploy(deployment));
  if (deployed.on_trial) {
    TCFDL_TRY(begin_trial(deployed.record));
    return deployed;
  }
  forget_refusal(deployed.record.descriptor.name());
  TCFDL_TRY(open(deployed.record));
  return deployed;
}

Result<function_manager::FunctionRecord> MasterFunctions::set_scale(const FunctionName& name,
                                                                    const function_manager::Scale& scale) {
  TCFDL_ASSIGN(auto record, functions_.set_scale(name.str(), scale));
  const std::scoped_lock lock(mutex_);
  if (refused_.contains(name.str())) return record; // it runs nowhere now
  const auto wanted = scaling_.set_function(name, bounds_of(record.settings.scale), record.descriptor.concurrency());
  TCFDL_TRY(instances_.set_scale(name, wanted));
  TCFDL_TRY(instances_.set_warm(name, record.settings.scale.warm));
  return record;
}

Status MasterFunctions::remove(const FunctionName& name) {
  TCFDL_TRY(functions_.remove(name.str()));
  scaling_.remove_function(name);
  tasks_.remove_function(name);
  instances_.remove_function(name);
  return {};
}

void MasterFunctions::trial_ended(const instance_manager::TrialEnd& end) {
  {
    const std::scoped_lock lock(mutex_);
    ended_.push_back(end);
  }
  wake_.notify_all();
}

Status MasterFunctions::open(const function_manager::FunctionRecord& record, std::size_t keep) {
  const FunctionName name(record.descriptor.name());
  tasks_.set_function(policy_of(record));
  const auto wanted = scaling_.set_function(name, bounds_of(record.settings.scale), record.descriptor.concurrency());
  return instances_.set_function(wanted_of(record, wanted, keep));
}

Status MasterFunctions::begin_trial(const function_manager::FunctionRecord& record) {
  tasks_.set_candidate(policy_of(record));
  return instances_.begin_trial(wanted_of(record, 0, 0));
}

std::size_t MasterFunctions::act_on_trials() {
  std::vector<instance_manager::TrialEnd> ended;
  {
    const std::scoped_lock lock(mutex_);
    ended.swap(ended_);
  }
  std::erase_if(ended, [this](const auto& end) { return act_on(end); });
  const std::scoped_lock lock(mutex_);
  ended_.insert(ended_.end(), ended.begin(), ended.end());
  return ended.size();
}

bool MasterFunctions::act_on(const instance_manager::TrialEnd& end) {
  if (!end.failure.empty()) {
    give_up(end, end.failure);
    return true;
  }
  const auto promoted = functions_.promote(end.function.str(), end.version);
  if (!promoted && promoted.error().unanswered()) {
    spdlog::warn("version {} of {} passed its trial and cannot be registered: {}", end.version, end.function,
                 promoted.error().message());
    return false;
  }
  if (!promoted) {
    if (promoted.error().code() != Code::kNotFound)
      give_up(end, "the registry refuses it: " + promoted.error().message());
    return true;
  }
  spdlog::info("version {} of {} passed its trial and is in force", end.version, end.function);
  const auto opened = open(*promoted);
  if (!opened) spdlog::error("cannot run {}: {}", end.function, opened.error().to_string());
  return true;
}

void MasterFunctions::give_up(const instance_manager::TrialEnd& end, const std::string& why) {
  instances_.end_trial(end.function, end.version);
  const auto done = functions_.give_up(end.function.str(), end.version, why);
  if (!done) return spdlog::info("version {} of {}: {}", end.version, end.function, done.error().message());
  spdlog::warn("version {} of {} is given up, the one before serves: {}", end.version, end.function, why);
  audit_.add({.who = "master",
              .role = "",
              .from = "",
              .action = "ROLLBACK",
              .object = "/v1/functions/" + end.function.str(),
              .allowed = true,
              .outcome = fmt::format("version {}: {}", end.version, why)});
}
void MasterFunctions::close(const std::string& name, const Error& why) {
  if (!functions_.get(name)) return;
  {
    const std::scoped_lock lock(mutex_);
    if (!refused_.insert(name).second) return;
  }
  spdlog::warn("{} is stopped: the registry refuses it: {}", name, why.message());
  scaling_.remove_function(FunctionName(name));
  tasks_.remove_function(FunctionName(name));
  instances_.remove_function(FunctionName(name));
}

bool MasterFunctions::forget_refusal(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  return refused_.erase(name) > 0;
}

void MasterFunctions::reopen(const std::string& name) {
  if (!forget_refusal(name)) return;
  const auto record = functions_.get(name);
  const auto opened = record ? open(*record) : Status(record.error());
  if (!opened) spdlog::warn("cannot start {} again: {}", name, opened.error().to_string());
}

void MasterFunctions::renew_loop() {
  using Clock = std::chrono::steady_clock;
  for (auto next = Clock::now();;) {
    const auto now = Clock::now();
    if (now >= next) {
      const auto pause = renew_now() ? kRenewEvery : kRetryRenewal;
      next = Clock::now() + pause + milliseconds(static_cast<int>(instance_manager::random_unit() * 500));
    }
    const auto left = act_on_trials();
    std::unique_lock lock(mutex_);
    const auto until = left == 0 ? next : Clock::now() + kRetryRenewal;
    wake_.wait_until(lock, until, [&] { return stopping_ || ended_.size() > left; });
    if (stopping_) return;
  }
}

} // namespace tcfdl::node
