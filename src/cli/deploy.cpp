#include "cli/deploy.hpp"

#include "base/encoding.hpp"
#include "cli/owner_key.hpp"
#include "wire/signed.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

namespace tcfdl::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kPollPeriod{100};

/// One line that is rewritten in place.
class Progress {
public:
  Progress(bool shown, const SignedBundle& bundle)
      : shown_(shown), name_(bundle.function.descriptor.name()), blobs_(bundle.blobs.size()) {}
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

Status upload(Api& api, const SignedBundle& bundle, Progress& progress) {
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

/// Why no more instances are ready: what an instance last said, or the function's own problem.
std::string last_error_of(const json& function) {
  const auto instances = function.find("instances");
  if (instances != function.end() && instances->is_array()) {
    for (const auto& instance : *instances) {
      const auto text = instance.is_object() ? instance.value("last_error", std::string()) : std::string();
      if (!text.empty()) return ": " + text;
    }
  }
  const auto problem = function.value("problem", std::string());
  return problem.empty() ? problem : ": " + problem;
}

/// Waits until as many instances as wanted at least are ready. A function at zero is not started for it.
Result<json> wait_ready(Api& api, const std::string& name, std::uint64_t wanted, Deadline deadline) {
  for (;;) {
    TCFDL_ASSIGN(auto function, api.get(function_target(name)));
    if (!function.is_object()) return Error(Code::kInternal, "the master's answer is no function");
    const auto ready = function.value("instances_ready", std::uint64_t{0});
    if (ready >= wanted) return function;
    if (deadline.expired()) {
      return make_error(Code::kDeadlineExceeded,
                        "{} is deployed, but {} of {} instances are ready{}; see `tcfdl function logs {}`", name, ready,
                        wanted, last_error_of(function), name);
    }
    std::this_thread::sleep_for(kPollPeriod);
  }
}

/// Waits until the version is in force. FAILED_PRECONDITION when it was given up.
Status wait_in_force(Api& api, const std::string& name, std::uint64_t version, Deadline deadline) {
  for (;;) {
    TCFDL_ASSIGN(const auto function, api.get(function_target(name)));
    if (!function.is_object()) return Error(Code::kInternal, "the master's answer is no function");
    const auto serving = function.value("version", std::uint64_t{0});
    if (serving >= version) return {};
    const auto rollback = function.value("rollback", json::object());
    if (rollback.value("version", std::uint64_t{0}) == version) {
      return make_error(Code::kFailedPrecondition,
                        "version {} of {} was rolled back: {}; version {} serves. See `tcfdl function logs {}`",
                        version, name, rollback.value("reason", ""), serving, name);
    }
    if (deadline.expired()) {
      return make_error(Code::kDeadlineExceeded,
                        "version {} of {} is on trial still, version {} serves; see `tcfdl function show {}`", version,
                        name, serving, name);
    }
    std::this_thread::sleep_for(kPollPeriod);
  }
}

Result<Bytes> read_seal_key(Api& api, const sdk::Context& context) {
  TCFDL_ASSIGN(const auto authority_bytes, from_base64url(context.authority_key));
  TCFDL_ASSIGN(const auto authority, crypto::VerifyKey::from_bytes(authority_bytes));
  TCFDL_ASSIGN(const auto answer, api.get("/v1/seal-key"));
  TCFDL_ASSIGN(const auto bytes, from_base64url(answer.is_object() ? answer.value("seal_key", "") : ""));
  TCFDL_ASSIGN(const auto unverified, wire::parse<wire::Signed>(bytes));
  TCFDL_ASSIGN(const auto statement, wire::verify<wire::SealKey>(authority, unverified));
  return to_bytes(statement.key());
}

} // namespace

Result<Bytes> authority_seal_key(Api& api, const sdk::Context& context) {
  auto key = read_seal_key(api, context);
  if (!key) return key.error().within("the authority's key that confidential files need");
  return key;
}

Result<SignedBundle> sign_file(const std::filesystem::path& file, const std::string& key,
                               const AskSealKey& ask_seal_key) {
  TCFDL_ASSIGN(const auto programs, program_directory());
  TCFDL_ASSIGN(const auto function, read_function_file({file, programs}));
  TCFDL_ASSIGN(const auto owner, choose_owner_key(key));
  return sign_function(function, owner, ask_seal_key);
}

Result<json> deploy(Api& api, const SignedBundle& bundle, const DeployWait& wait) {
  {
    Progress progress(wait.progress, bundle);
    TCFDL_TRY(upload(api, bundle, progress));
  }
  const auto document = json::parse(wire::write_signed_function(bundle.function), nullptr, false);
  TCFDL_ASSIGN(auto deployed, api.post("/v1/functions", document));
  if (!wait.until_ready || !deployed.is_object()) return deployed;
  const auto deadline = Deadline::after(wait.timeout);
  const auto& name = bundle.function.descriptor.name();
  TCFDL_TRY(wait_in_force(api, name, bundle.function.descriptor.version(), deadline));
  TCFDL_ASSIGN(deployed, api.get(function_target(name))); // before, another version may have been in force
  // What its load wants beyond the minimum may not fit; that is no failure of the deployment.
  const auto wanted = deployed.value("instances_wanted", std::uint64_t{0});
  const auto least = std::min(wanted, deployed.value("instances_min", wanted));
  return wait_ready(api, name, least, deadline);
}

Result<json> deploy(Api& api, const sdk::Context& context, const DeployOptions& options) {
  const bool is_signed = std::filesystem::is_directory(options.file);
  if (is_signed && !options.key.empty()) {
    return make_error(Code::kInvalidArgument, "{} is signed already; --key is for function files",
                      options.file.string());
  }
  const auto ask_seal_key = [&] { return authority_seal_key(api, context); };
  TCFDL_ASSIGN(const auto bundle,
               is_signed ? read_signed(options.file) : sign_file(options.file, options.key, ask_seal_key));
  return deploy(api, bundle, options.wait);
}

} // namespace tcfdl::cli
