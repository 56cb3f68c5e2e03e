#include "cli/deploy.hpp"

#include "base/encoding.hpp"
#include "wire/signed.hpp"

#include <cstdio>
#include <thread>

namespace tcfdl::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPollPeriod{100};

/// One line that is rewritten in place.
class Progress {
public:
  Progress(bool shown, const FunctionFile& function, std::size_t blobs)
      : shown_(shown), name_(function.name), blobs_(blobs) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (written_) (void)std::fputc('\n', stderr);
  }
  void tell(std::size_t blob, std::uint64_t sent, std::uint64_t size) {
    const auto percent = size == 0 ? 100 : sent * 100 / size;
    if (!shown_ || percent == last_) return;
    last_ = percent;
    written_ = true;
    (void)std::fprintf(stderr, "\r%s: file %zu of %zu, %3llu %%", name_.c_str(), blob + 1, blobs_,
                       static_cast<unsigned long long>(percent));
  }

private:
  const bool shown_;
  const std::string name_;
  const std::size_t blobs_;
  std::uint64_t last_ = 101;
  bool written_ = false;
};

Status upload(Api& api, const Bundle& bundle, Progress& progress) {
  for (std::size_t i = 0; i < bundle.blobs.size(); ++i) {
    const auto& blob = bundle.blobs[i];
    const auto target = "/v1/artefacts/" + blob.sha256;
    TCFDL_ASSIGN(const auto present, api.has(target));
    if (present) continue;
    const auto sent = [&](std::uint64_t bytes) { progress.tell(i, bytes, blob.size); };
    const auto stored = api.put(target, blob.source, blob.size, sent);
    if (!stored) return stored.error().within(blob.source.string());
  }
  return {};
}

json settings_of(const FunctionFile& function) {
  json settings{{"scale", {{"min", function.scale_min}, {"max", function.scale_max}}}};
  if (!function.memory.empty()) settings["resources"]["memory"] = function.memory;
  for (const auto& [name, value] : function.labels) settings["labels"][name] = value;
  return settings;
}

Result<json> post(Api& api, const sdk::Context& context, const FunctionFile& function, const Bundle& bundle) {
  TCFDL_ASSIGN(const auto secret, from_base64url(context.signing_key));
  TCFDL_ASSIGN(const auto key, crypto::SigningKey::from_private_bytes(secret));
  const auto descriptor = make_descriptor(function, bundle, key.public_key().bytes());
  const auto statement = wire::sign(key, descriptor);
  return api.post("/v1/functions", {{"descriptor", to_base64url(wire::serialize(statement))},
                                    {"manifest", bundle.manifest},
                                    {"settings", settings_of(function)}});
}

std::string last_error_of(const json& function) {
  const auto instances = function.find("instances");
  if (instances == function.end() || !instances->is_array()) return {};
  for (const auto& instance : *instances) {
    const auto text = instance.is_object() ? instance.value("last_error", std::string()) : std::string();
    if (!text.empty()) return ": " + text;
  }
  return {};
}

/// Waits until as many instances as wanted at least are ready.
Result<json> wait_ready(Api& api, const FunctionFile& wanted, Deadline deadline) {
  for (;;) {
    TCFDL_ASSIGN(auto function, api.get(function_target(wanted.name)));
    if (!function.is_object()) return Error(Code::kInternal, "the master's answer is no function");
    const auto ready = function.value("instances_ready", std::uint64_t{0});
    if (ready >= wanted.scale_min) return function;
    if (deadline.expired()) {
      return make_error(Code::kDeadlineExceeded,
                        "{} is deployed, but {} of {} instances are ready{}; see `tcfdl function logs {}`", wanted.name,
                        ready, wanted.scale_min, last_error_of(function), wanted.name);
    }
    std::this_thread::sleep_for(kPollPeriod);
  }
}

} // namespace

Result<json> deploy(Api& api, const sdk::Context& context, const DeployOptions& options) {
  TCFDL_ASSIGN(const auto programs, program_directory());
  TCFDL_ASSIGN(const auto function, read_function_file({options.file, programs}));
  TCFDL_ASSIGN(const auto bundle, make_bundle(function));
  {
    Progress progress(options.progress, function, bundle.blobs.size());
    TCFDL_TRY(upload(api, bundle, progress));
  }
  TCFDL_ASSIGN(auto deployed, post(api, context, function, bundle));
  if (!options.wait || function.scale_min == 0) return deployed;
  return wait_ready(api, function, Deadline::after(options.timeout));
}

} // namespace tcfdl::cli
