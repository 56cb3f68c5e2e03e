#include "cli/signed_bundle.hpp"

#include "base/file.hpp"
#include "wire/signed.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tcfdl::cli {
namespace {

constexpr const char* kDocument = "function.json";
constexpr const char* kFiles = "files";

nlohmann::json health_of(const HealthFile& health) {
  auto settings = nlohmann::json::object();
  if (health.ready_within) settings["ready_within_ms"] = health.ready_within->count();
  if (health.answer_within) settings["answer_within_ms"] = health.answer_within->count();
  if (health.overdue) settings["overdue_ms"] = health.overdue->count();
  if (health.trial) settings["trial_ms"] = health.trial->count();
  if (health.failures) settings["failures"] = *health.failures;
  return settings;
}

std::string settings_of(const FunctionFile& function) {
  nlohmann::json settings{{"scale", {{"min", function.scale_min}, {"max", function.scale_max}}}};
  if (function.response_time_ms > 0) settings["scale"]["response_time_ms"] = function.response_time_ms;
  if (function.scale_warm > 0) settings["scale"]["warm"] = function.scale_warm;
  if (!function.memory.empty()) settings["resources"]["memory"] = function.memory;
  if (!function.enclave_memory.empty()) settings["resources"]["enclave_memory"] = function.enclave_memory;
  if (function.millicores > 0) settings["resources"]["millicores"] = function.millicores;
  if (function.most_millicores > 0) settings["resources"]["most_millicores"] = function.most_millicores;
  if (function.processes > 0) settings["resources"]["processes"] = function.processes;
  if (auto health = health_of(function.health); !health.empty()) settings["health"] = std::move(health);
  for (const auto& [name, value] : function.labels) settings["labels"][name] = value;
  return settings.dump();
}

Error failure(std::string_view what, const std::filesystem::path& path, const std::error_code& why) {
  return make_error(Code::kInternal, "{} {}: {}", what, path.string(), why.message());
}

Status check_file(const std::filesystem::path& path, const std::string& sha256) {
  TCFDL_ASSIGN(const auto found, hash_file(path));
  if (found.sha256 == sha256) return {};
  return make_error(Code::kDataLoss, "{} is not the file that was signed: it has the SHA-256 {}, wanted {}",
                    path.string(), found.sha256, sha256);
}

} // namespace

Result<SignedBundle> sign_function(const FunctionFile& function, const crypto::SigningKey& owner,
                                   const AskSealKey& ask_seal_key) {
  TCFDL_ASSIGN(auto bundle, make_bundle(function));
  SignedBundle result;
  auto& made = result.function;
  made.descriptor = make_descriptor(function, bundle, owner.public_key().bytes());
  made.signed_descriptor = wire::sign(owner, made.descriptor);
  TCFDL_ASSIGN(made.parsed, wire::parse_manifest(as_bytes(bundle.manifest)));
  made.manifest = std::move(bundle.manifest);
  made.settings = settings_of(function);
  if (bundle.content_key) {
    TCFDL_ASSIGN(const auto seal_key, ask_seal_key());
    TCFDL_ASSIGN(made.content_key, wire::seal_content_key(owner, made.descriptor, seal_key, *bundle.content_key));
  }
  result.blobs = std::move(bundle.blobs);
  result.encrypted = std::move(bundle.encrypted);
  return result;
}

Status write_signed(const SignedBundle& bundle, const std::filesystem::path& directory) {
  std::error_code why;
  const auto files = directory / kFiles;
  if (std::filesystem::exists(directory, why) && !std::filesystem::is_empty(directory, why)) {
    return make_error(Code::kAlreadyExists, "{} exists; name a directory that does not, or delete it",
                      directory.string());
  }
  std::filesystem::create_directories(files, why);
  if (why) return failure("cannot create", files, why);
  for (const auto& blob : bundle.blobs) {
    std::filesystem::copy_file(blob.source, files / blob.sha256, why);
    if (why) return failure("cannot copy", blob.source, why);
    TCFDL_TRY(check_file(files / blob.sha256, blob.sha256));
  }
  return write_file(directory / kDocument, as_bytes(wire::write_signed_function(bundle.function) + "\n"));
}

Result<SignedBundle> read_signed(const std::filesystem::path& directory) {
  const auto document = directory / kDocument;
  TCFDL_ASSIGN(const auto text, read_file(document, wire::kMaxSignedFunction + 1));
  auto function = wire::parse_signed_function(text);
  if (!function) return function.error().within(document.string());
  SignedBundle bundle{.function = *std::move(function), .blobs = {}};
  for (const auto& file : bundle.function.parsed.files) {
    if (std::ranges::find(bundle.blobs, file.sha256, &Bundle::Blob::sha256) != bundle.blobs.end()) continue;
    const auto path = directory / kFiles / file.sha256;
    TCFDL_TRY(check_file(path, file.sha256));
    bundle.blobs.push_back({file.sha256, file.size, path});
  }
  return bundle;
}

} // namespace tcfdl::cli
