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

Result<function_manager::FunctionRecord> MasterFunctions::deploy(const function_manager::Deployment& deployment) {
  TCFDL_ASSIGN(auto record, functions_.deploy(deployment));
  forget_refusal(record.descriptor.name());
  TCFDL_TRY(open(record));
  return record;
}

Result<function_manager::FunctionRecord> MasterFunctions::set_scale(const FunctionName& name,
                                                                    const function_manager::Scale& scale) {
  TCFDL_ASSIGN(auto record, functions_.set_scale(name.str(), scale));
  const std::scoped_lock lock(mutex_);
  if (refused_.contains(name.str())) return record; // it runs nowhere now
  const auto wanted = scaling_.set_function(name, bounds_of(record.settings.scale), record.descriptor.concurrency());
  TCFDL_TRY(instances_.set_scale(name, wanted));
  return record;
}

Status MasterFunctions::remove(const FunctionName& name) {
  TCFDL_TRY(functions_.remove(name.str()));
  scaling_.remove_function(name);
  tasks_.remove_function(name);
  instances_.remove_function(name);
  return {};
}

Status MasterFunctions::open(const function_manager::FunctionRecord& record, std::size_t keep) {
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
  const FunctionName name = policy.name;
  tasks_.set_function(std::move(policy));
  const auto& [scale, resources, labels] = record.settings;
  const auto wanted = scaling_.set_function(name, bounds_of(scale), descriptor.concurrency());
  return instances_.set_function({record.signed_descriptor,
                                  wire::field(record.manifest),
                                  wanted,
                                  keep,
                                  {resources.memory, resources.enclave_memory, resources.millicores, labels}});
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
  for (;;) {
    const auto pause = renew_now() ? kRenewEvery : kRetryRenewal;
    const auto jittered = pause + milliseconds(static_cast<int>(instance_manager::random_unit() * 500));
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, jittered, [this] { return stopping_; })) return;
  }
}

} // namespace tcfdl::node
