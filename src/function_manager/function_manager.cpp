#include "function_manager/function_manager.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "wire/confidential.hpp"
#include "wire/descriptor.hpp"

#include <algorithm>
#include <set>

namespace tcfdl::function_manager {
namespace {

constexpr std::size_t kNamedFiles = 10;

std::string name_files(const std::vector<wire::ManifestFile>& files) {
  std::string text;
  for (std::size_t i = 0; i < std::min(files.size(), kNamedFiles); ++i)
    text += fmt::format("{}{} ({})", i > 0 ? ", " : "", files[i].path, files[i].sha256);
  if (files.size() > kNamedFiles) text += fmt::format(" and {} more", files.size() - kNamedFiles);
  return text;
}

} // namespace

database::FileStoreSettings artefact_settings(std::filesystem::path directory) {
  return {.directory = std::move(directory),
          .digest = [](BytesView content) { return to_hex(crypto::sha256(content)); }};
}

Result<std::unique_ptr<FunctionManager>> FunctionManager::open(database::Database& database,
                                                               database::FileStore& artefacts, Registry& registry,
                                                               const Clock& clock, std::string cluster) {
  TCFDL_TRY(check_label(cluster, "the cluster"));
  TCFDL_ASSIGN(auto table, FunctionTable::open(database));
  return std::unique_ptr<FunctionManager>(new FunctionManager(table, artefacts, registry, clock, std::move(cluster)));
}

Result<FunctionRecord> FunctionManager::checked_record(const Deployment& deployment) {
  FunctionRecord record;
  record.signed_descriptor = deployment.descriptor;
  TCFDL_ASSIGN(record.descriptor, wire::check_bundle(deployment.descriptor, deployment.manifest));
  if (!wire::admits_provider(record.descriptor, cluster_)) {
    return make_error(Code::kPermissionDenied,
                      "the descriptor of {} does not name cluster {} among its providers; its owner can add it",
                      record.descriptor.name(), cluster_);
  }
  TCFDL_ASSIGN(const auto manifest, wire::parse_manifest(deployment.manifest));
  record.manifest = deployment.manifest;
  record.content_key = deployment.content_key;
  TCFDL_TRY(wire::check_content_key(record.content_key, manifest, record.descriptor));
  TCFDL_ASSIGN(record.settings, parse_settings(deployment.settings));
  TCFDL_TRY(check_name(record));
  TCFDL_TRY(check_files(manifest));
  return record;
}

Status FunctionManager::check_name(const FunctionRecord& record) {
  const auto& offered = record.descriptor;
  TCFDL_ASSIGN(const auto known, table_.known(offered.name()));
  if (!known) return {};
  const wire::HeldName held{.owner = crypto::sha256(known->owner_key),
                            .version = known->version,
                            .statement = crypto::sha256(known->statement)};
  return wire::check_succession(offered.name(), held,
                                wire::held_name(offered, as_bytes(record.signed_descriptor.statement())));
}

Result<std::vector<wire::ManifestFile>> FunctionManager::missing_files(const wire::Manifest& manifest) {
  std::vector<wire::ManifestFile> missing;
  for (const auto& file : manifest.files) {
    const auto path = artefacts_.path_of(file.sha256);
    if (!path && path.error().code() != Code::kNotFound) return path.error();
    std::error_code failure;
    if (!path || std::filesystem::file_size(*path, failure) != file.size || failure) missing.push_back(file);
  }
  return missing;
}

Status FunctionManager::check_files(const wire::Manifest& manifest) {
  TCFDL_ASSIGN(const auto missing, missing_files(manifest));
  if (missing.empty()) return {};
  return make_error(Code::kFailedPrecondition,
                    "the store lacks {} of {} files, or holds them with other sizes; upload {}", missing.size(),
                    manifest.files.size(), name_files(missing));
}

/// False where it is in force at the registry already.
Result<bool> FunctionManager::put_on_trial(const FunctionRecord& record) {
  auto staged = registry_.stage_function(record.signed_descriptor, record.content_key);
  if (!staged && staged.error().unanswered()) {
    return make_error(Code::kUnavailable,
                      "the registry does not answer ({}), so version {} of {} cannot be tried; the version before "
                      "stays. Deploy it again when the service manager is back",
                      staged.error().message(), record.descriptor.version(), record.descriptor.name());
  }
  TCFDL_ASSIGN(const bool on_trial, std::move(staged));
  if (on_trial) TCFDL_TRY(table_.put_candidate(record));
  return on_trial;
}

Result<FunctionRecord> FunctionManager::find_candidate(const std::string& name, std::uint64_t version) {
  TCFDL_ASSIGN(auto found, table_.candidate(name));
  if (found && found->descriptor.version() == version) return *std::move(found);
  return make_error(Code::kNotFound, "version {} of {} is not on trial", version, name);
}

Result<FunctionRecord> FunctionManager::promote(const std::string& name, std::uint64_t version) {
  const std::scoped_lock lock(changes_);
  TCFDL_ASSIGN(auto record, find_candidate(name, version));
  TCFDL_TRY(registry_.register_function(record.signed_descriptor, record.content_key));
  record.registered = true;
  TCFDL_TRY(store(record, false));
  return record;
}

Status FunctionManager::give_up(const std::string& name, std::uint64_t version, const std::string& reason) {
  const std::scoped_lock lock(changes_);
  TCFDL_TRY(find_candidate(name, version));
  TCFDL_TRY(table_.give_up_candidate(name, {.version = version, .reason = reason, .time = clock_.now()}));
  // What stays staged gives keys to instances that nobody starts; the next version replaces it.
  const auto told = registry_.withdraw_function(name);
  if (!told) spdlog::warn("version {} of {} stays staged: {}", version, name, told.error().message());
  return {};
}

Result<Deployed> FunctionManager::deploy(const Deployment& deployment) {
  const std::scoped_lock lock(changes_);
  TCFDL_ASSIGN(auto record, checked_record(deployment));
  TCFDL_ASSIGN(const auto existing, table_.find(record.descriptor.name()));
  if (existing && deployment.settings.empty()) record.settings = existing->settings;
  record.updated = clock_.now();
  record.created = existing ? existing->created : record.updated;
  // Where the version before is not in force, or runs the same program, there is nothing to go back to or to try.
  const bool other_program = existing && existing->descriptor.measurement() != record.descriptor.measurement();
  if (other_program && existing->registered) {
    TCFDL_ASSIGN(const bool on_trial, put_on_trial(record));
    if (on_trial) return Deployed{std::move(record), true};
  }
  const auto registered = registry_.register_function(record.signed_descriptor, record.content_key);
  if (!registered && !registered.error().unanswered()) return registered.error();
  record.registered = registered.has_value();
  if (!registered) record.registration_error = registered.error().to_string();
  TCFDL_TRY(store(record, !existing));
  return Deployed{std::move(record), false};
}

Status FunctionManager::store(const FunctionRecord& record, bool is_new) {
  const auto stored = table_.put(record);
  if (stored || !is_new || !record.registered) return stored;
  // The registry must not list what is not here.
  if (const auto undone = registry_.unregister_function(record.descriptor.name()); !undone) {
    spdlog::warn("{} is registered and could not be stored: {}", record.descriptor.name(), undone.error().to_string());
  }
  return stored;
}

Result<FunctionRecord> FunctionManager::set_scale(const std::string& name, const Scale& scale) {
  const std::scoped_lock lock(changes_);
  TCFDL_ASSIGN(auto record, get(name));
  record.settings.scale = scale;
  TCFDL_ASSIGN(record.settings, parse_settings(write_settings(record.settings)));
  TCFDL_TRY(table_.set_settings(name, record.settings));
  return record;
}

Status FunctionManager::remove(const std::string& name) {
  const std::scoped_lock lock(changes_);
  TCFDL_TRY(table_.remove(name));
  Renewal ignored; // what fails here is pending and repeated with the next renewal
  unregister(name, ignored);
  return {};
}

Result<FunctionRecord> FunctionManager::get(const std::string& name) {
  TCFDL_ASSIGN(auto found, table_.find(name));
  if (found) return *std::move(found);
  return make_error(Code::kNotFound, "no function {} is deployed in cluster {}; deploy it, or list what is", name,
                    cluster_);
}

Result<std::vector<FunctionRecord>> FunctionManager::list() { return table_.list(); }

void FunctionManager::unregister(const std::string& name, Renewal& renewal) {
  const auto told = registry_.unregister_function(name);
  if (!told && told.error().code() != Code::kNotFound) {
    renewal.failed.emplace_back(name, told.error());
    return;
  }
  if (const auto forgotten = table_.forget_unregistration(name); !forgotten) {
    renewal.failed.emplace_back(name, forgotten.error());
  }
}

void FunctionManager::register_again(const FunctionRecord& record, Renewal& renewal) {
  const auto& name = record.descriptor.name();
  const auto registered = registry_.register_function(record.signed_descriptor, record.content_key);
  const auto noted = table_.set_registration(name, record.descriptor.version(),
                                             registered ? std::string() : registered.error().to_string());
  if (!registered) {
    renewal.failed.emplace_back(name, registered.error());
  } else if (!noted) {
    renewal.failed.emplace_back(name, noted.error());
  } else {
    renewal.registered.push_back(name);
  }
}

Result<Renewal> FunctionManager::renew() {
  const std::scoped_lock lock(changes_);
  TCFDL_ASSIGN(const auto records, table_.list());
  std::vector<std::string> names;
  names.reserve(records.size());
  for (const auto& record : records) names.push_back(record.descriptor.name());
  TCFDL_ASSIGN(const auto missing, registry_.renew(names));
  Renewal renewal;
  TCFDL_ASSIGN(const auto pending, table_.pending_unregistrations());
  for (const auto& name : pending) unregister(name, renewal);
  const std::set<std::string> lacking(missing.begin(), missing.end());
  for (const auto& record : records) {
    if (!record.registered || lacking.contains(record.descriptor.name())) register_again(record, renewal);
  }
  return renewal;
}

Result<std::size_t> FunctionManager::remove_unused_files(std::int64_t age) {
  const std::scoped_lock lock(changes_);
  TCFDL_ASSIGN(auto records, table_.list());
  TCFDL_ASSIGN(const auto candidates, table_.candidates());
  records.insert(records.end(), candidates.begin(), candidates.end());
  std::set<std::string> needed;
  for (const auto& record : records) {
    TCFDL_ASSIGN(const auto manifest, wire::parse_manifest(record.manifest));
    for (const auto& file : manifest.files) needed.insert(file.sha256);
  }
  TCFDL_ASSIGN(const auto files, artefacts_.list());
  std::size_t removed = 0;
  for (const auto& file : files) {
    if (needed.contains(file.digest) || file.created + age > clock_.now()) continue;
    TCFDL_TRY(artefacts_.remove(file.digest));
    ++removed;
  }
  return removed;
}

} // namespace tcfdl::function_manager
