// Which clusters provide which functions (paper 2.3.1).
#pragma once

#include "service_manager/operation_log.hpp"

namespace tcfdl::service_manager {

struct RegistrySettings {
  std::int64_t shortest_lifetime = 1;         ///< of a renewal, seconds
  std::int64_t longest_lifetime = 24L * 3600; ///< seconds
  std::int64_t functions_per_cluster = 10'000;
};

/// Names are bound to the owner key of their first registration, for good; clusters provide them while they renew
/// themselves. Any thread; database, log and clock outlive it.
class Registry {
public:
  /// Teaches `log` the registry's operations.
  Registry(database::Database& database, OperationLog& log, const Clock& clock, RegistrySettings settings = {});

  /// Keeps the cluster of a verified certificate of a master listed for `request.lifetime` seconds from now, with all
  /// its functions. The state names the functions of the request that the registry does not hold for that cluster.
  /// INVALID_ARGUMENT for a lifetime or link out of bounds.
  Result<wire::RegistryState> renew(const wire::Signed& certificate, const wire::RenewCluster& request);

  /// Lists the cluster as provider of the function and keeps the descriptor if it is newer. Repeating it is no error.
  /// PERMISSION_DENIED: another owner holds the name, or the descriptor does not admit the cluster.
  /// FAILED_PRECONDITION: a higher version is registered. ALREADY_EXISTS: the same version with other content.
  Status register_function(const std::string& cluster, const wire::Signed& descriptor);

  /// Keeps a version that the cluster tries, in place of the one that it tried before: its instances there get keys,
  /// while the version in force stays that for everybody. False where it is in force already. Errors of
  /// `register_function`; NOT_FOUND for a function that is not registered.
  Result<bool> stage_function(const std::string& cluster, const wire::Signed& descriptor);
  /// Ends the trial. Nothing where there is none.
  Status withdraw_function(const std::string& cluster, const std::string& function);
  /// What the cluster tries; nullopt: nothing.
  Result<std::optional<wire::Signed>> staged_descriptor(const std::string& cluster, const std::string& function);

  /// Ends the cluster's provision of the function; the name stays its owner's. NOT_FOUND if the cluster does not
  /// provide it.
  Status unregister_function(const std::string& cluster, const std::string& function);

  /// Live providers and clusters. Without a function all live clusters are listed, else those that provide it.
  Result<wire::Inquired> inquire(const wire::Inquire& request);

  /// The descriptor of the highest version. NOT_FOUND says what to do.
  Result<wire::Signed> current_descriptor(std::string_view function);

  /// Whether the cluster is registered as a provider of the function, alive or not.
  Result<bool> provides(const std::string& cluster, const std::string& function);

private:
  [[nodiscard]] static Status check_provider(const std::string& cluster, const wire::Descriptor& descriptor);
  Status check_renewal(const wire::RenewCluster& request) const;
  Status store_renewal(const wire::Certificate& master, const wire::Signed& certificate,
                       const wire::RenewCluster& request);
  Status list_providers(const wire::Inquire& request, std::int64_t limit, wire::Inquired& out);
  Status list_clusters(const wire::Inquire& request, std::int64_t limit, wire::Inquired& out);

  database::Database& database_;
  OperationLog& log_;
  const Clock& clock_;
  const RegistrySettings settings_;
};

} // namespace tcfdl::service_manager
