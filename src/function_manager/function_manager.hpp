// The functions of a cluster (paper 2.4.1).
#pragma once

#include "database/file_store.hpp"
#include "function_manager/ports.hpp"
#include "function_manager/table.hpp"
#include "wire/manifest.hpp"

namespace tcfdl::function_manager {

/// What a deployer hands in.
struct Deployment {
  wire::Signed descriptor;
  Bytes manifest;
  std::string settings; ///< JSON of `parse_settings`; empty: the defaults, or what the function has already
  std::optional<wire::KeyPackage> content_key = {}; ///< where the manifest has confidential files
};

struct Deployed {
  FunctionRecord record;
  bool on_trial = false; ///< the version before is in force until `promote`
};

/// What a renewal did beside keeping the cluster listed.
struct Renewal {
  std::vector<std::string> registered;
  std::vector<std::pair<std::string, Error>> failed;
};

/// How `FileStore` keeps artefacts: by their SHA-256.
database::FileStoreSettings artefact_settings(std::filesystem::path directory);

/// Keeps the functions of one cluster, in step with the registry. Any thread; changes and renewals go one at a time,
/// also while they wait for the registry, reading does not. All that it is given outlives it.
class FunctionManager {
public:
  static Result<std::unique_ptr<FunctionManager>> open(database::Database& database, database::FileStore& artefacts,
                                                       Registry& registry, const Clock& clock, std::string cluster);

  /// Stores a function, or updates it, and registers it. Where the registry cannot be reached, the function is stored
  /// and registered with a later renewal; where it refuses, nothing changes here.
  /// INVALID_ARGUMENT: descriptor, manifest or settings, which are named; UNAUTHENTICATED: the owner's signature.
  /// PERMISSION_DENIED: the name is another owner's, or the descriptor does not admit this cluster.
  /// FAILED_PRECONDITION: a higher version was deployed, or files of the manifest are missing, which are named.
  /// A manifest with confidential files comes with their key, which is passed on to the registry and not opened here.
  /// ALREADY_EXISTS: the same version with other content. Settings may change without a new version.
  /// A newer version with another program is put on trial: it is stored beside the one in force and staged at the
  /// registry. UNAVAILABLE where that cannot be reached: nothing changes.
  Result<Deployed> deploy(const Deployment& deployment);

  /// The trial of a version is passed: it is registered and in force. NOT_FOUND when it is not on trial any more;
  /// errors of the registry, with which nothing changes.
  Result<FunctionRecord> promote(const std::string& name, std::uint64_t version);
  /// The trial of a version has failed: the one before stays, and `rollback` says why. NOT_FOUND as `promote`.
  Status give_up(const std::string& name, std::uint64_t version, const std::string& reason);
  /// What is on trial.
  Result<std::vector<FunctionRecord>> candidates() { return table_.candidates(); }
  /// The last version that was given up, until another is in force.
  Result<std::optional<Rollback>> rollback(const std::string& name) { return table_.rollback(name); }

  /// Changes how many instances there are, until it is changed again or deployed with other settings. NOT_FOUND;
  /// INVALID_ARGUMENT as of `parse_settings`.
  Result<FunctionRecord> set_scale(const std::string& name, const Scale& scale);

  /// Removes the function; its name stays its owner's and older versions stay refused. NOT_FOUND.
  Status remove(const std::string& name);

  /// NOT_FOUND says what to do.
  Result<FunctionRecord> get(const std::string& name);
  /// By name, in order.
  Result<std::vector<FunctionRecord>> list();

  /// To be called every few seconds: renews the cluster, registers what the registry lacks, and tells it what was
  /// removed. The error is the renewal's own.
  Result<Renewal> renew();

  /// Stores a file of a bundle. Gives its SHA-256 in hexadecimal.
  Result<std::string> put_file(BytesView content) { return artefacts_.put(content); }
  /// NOT_FOUND, DATA_LOSS as of `FileStore::get`.
  Result<Bytes> get_file(const std::string& sha256) { return artefacts_.get(sha256); }
  /// The files of a manifest that the store lacks, or holds with another size: what a deployer uploads first.
  Result<std::vector<wire::ManifestFile>> missing_files(const wire::Manifest& manifest);
  /// Deletes files that no function needs and that are older than `age` seconds. Gives their number.
  Result<std::size_t> remove_unused_files(std::int64_t age);

private:
  FunctionManager(FunctionTable table, database::FileStore& artefacts, Registry& registry, const Clock& clock,
                  std::string cluster)
      : table_(table), artefacts_(artefacts), registry_(registry), clock_(clock), cluster_(std::move(cluster)) {}

  Result<FunctionRecord> checked_record(const Deployment& deployment);
  Status check_name(const FunctionRecord& record);
  Status check_files(const wire::Manifest& manifest);
  Status store(const FunctionRecord& record, bool is_new);
  Result<bool> put_on_trial(const FunctionRecord& record);
  Result<FunctionRecord> find_candidate(const std::string& name, std::uint64_t version);
  void unregister(const std::string& name, Renewal& renewal);
  void register_again(const FunctionRecord& record, Renewal& renewal);

  FunctionTable table_;
  database::FileStore& artefacts_;
  Registry& registry_;
  const Clock& clock_;
  const std::string cluster_;
  std::mutex changes_; // held by deploy, remove, renew and remove_unused_files
};

} // namespace tcfdl::function_manager
