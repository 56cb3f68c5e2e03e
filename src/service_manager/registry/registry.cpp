#include "service_manager/registry/registry.hpp"

#include "service_manager/operations.pb.h"
#include "service_manager/registry/operations.hpp"
#include "wire/descriptor.hpp"

namespace tcfdl::service_manager {
namespace {

using database::Row;

constexpr std::int64_t kMostInquired = 1000;
constexpr int kMostRenewed = 10'000;
constexpr std::size_t kLongestHost = 255;
constexpr std::size_t kLongestCredential = 1024;

} // namespace

Registry::Registry(database::Database& database, OperationLog& log, const Clock& clock, RegistrySettings settings)
    : database_(database), log_(log), clock_(clock), settings_(settings) {
  registry::teach(log, settings.functions_per_cluster);
}

Status Registry::check_renewal(const wire::RenewCluster& request) const {
  if (request.lifetime() < settings_.shortest_lifetime || request.lifetime() > settings_.longest_lifetime) {
    return make_error(Code::kInvalidArgument, "a renewal lasts {} to {} seconds, not {}", settings_.shortest_lifetime,
                      settings_.longest_lifetime, request.lifetime());
  }
  const auto& link = request.link();
  if (link.host().size() > kLongestHost || link.port() > 65535 || link.user().size() > kLongestCredential ||
      link.password().size() > kLongestCredential) {
    return Error(Code::kInvalidArgument, "the link's host, port or credentials are out of bounds");
  }
  if (request.functions_size() > kMostRenewed) {
    return make_error(Code::kInvalidArgument, "a renewal names at most {} functions", kMostRenewed);
  }
  return {};
}

Status Registry::store_renewal(const wire::Certificate& master, const wire::Signed& certificate,
                               const wire::RenewCluster& request) {
  return database_.transaction([&]() -> Status {
    // Renewals come every few seconds and change nothing but the expiry, which is no part of the log.
    TCFDL_ASSIGN(
        const auto touched,
        database_.execute("UPDATE clusters SET expires = ? WHERE cluster = ? AND link = ? AND certificate = ? "
                          "AND lifetime = ?",
                          {clock_.now() + request.lifetime(), master.cluster(), wire::serialize(request.link()),
                           wire::serialize(certificate), request.lifetime()}));
    if (touched > 0) return {};
    ClusterRenewed renewed;
    renewed.set_cluster(master.cluster());
    *renewed.mutable_link() = request.link();
    *renewed.mutable_certificate() = certificate;
    renewed.set_lifetime(request.lifetime());
    TCFDL_TRY(log_.append(renewed));
    return {};
  });
}

Result<wire::RegistryState> Registry::renew(const wire::Signed& certificate, const wire::RenewCluster& request) {
  TCFDL_ASSIGN(const auto master, wire::parse<wire::Certificate>(certificate.statement()));
  TCFDL_TRY(check_label(master.cluster(), "the cluster"));
  TCFDL_TRY(check_renewal(request));
  TCFDL_TRY(store_renewal(master, certificate, request));
  wire::RegistryState state;
  for (const auto& function : request.functions()) {
    TCFDL_ASSIGN(const auto held, provides(master.cluster(), function));
    if (!held) state.add_missing(function);
  }
  return state;
}

Result<bool> Registry::provides(const std::string& cluster, const std::string& function) {
  TCFDL_ASSIGN(const auto found, database_.query_one("SELECT 1 FROM providers WHERE function = ? AND cluster = ?",
                                                     {function, cluster}, [](const Row&) { return true; }));
  return found.has_value();
}

Status Registry::check_provider(const std::string& cluster, const wire::Descriptor& descriptor) {
  TCFDL_TRY(check_label(cluster, "the cluster"));
  if (wire::admits_provider(descriptor, cluster)) return {};
  return make_error(Code::kPermissionDenied,
                    "the descriptor of {} does not name cluster {} among its providers; its owner can add it",
                    descriptor.name(), cluster);
}

Status Registry::register_function(const std::string& cluster, const wire::Signed& descriptor) {
  TCFDL_ASSIGN(const auto checked, wire::check_descriptor(descriptor));
  TCFDL_TRY(check_provider(cluster, checked));
  return database_.transaction([&]() -> Status {
    if (const auto current = current_descriptor(checked.name());
        current && current->statement() == descriptor.statement()) {
      TCFDL_ASSIGN(const auto held, provides(cluster, checked.name()));
      if (held) return {};
    }
    FunctionRegistered registered;
    registered.set_cluster(cluster);
    *registered.mutable_descriptor() = descriptor;
    TCFDL_TRY(log_.append(registered));
    return {};
  });
}

Result<bool> Registry::stage_function(const std::string& cluster, const wire::Signed& descriptor) {
  TCFDL_ASSIGN(const auto checked, wire::check_descriptor(descriptor));
  TCFDL_TRY(check_provider(cluster, checked));
  bool staged = false;
  const auto done = database_.transaction([&]() -> Status {
    const auto current = current_descriptor(checked.name());
    if (current && current->statement() == descriptor.statement()) return {};
    FunctionStaged operation;
    operation.set_cluster(cluster);
    *operation.mutable_descriptor() = descriptor;
    TCFDL_TRY(log_.append(operation));
    staged = true;
    return {};
  });
  if (!done) return done.error();
  return staged;
}

Status Registry::withdraw_function(const std::string& cluster, const std::string& function) {
  return database_.transaction([&]() -> Status {
    TCFDL_ASSIGN(const auto staged, staged_descriptor(cluster, function));
    if (!staged) return {};
    FunctionWithdrawn operation;
    operation.set_cluster(cluster);
    operation.set_function(function);
    TCFDL_TRY(log_.append(operation));
    return {};
  });
}

Result<std::optional<wire::Signed>> Registry::staged_descriptor(const std::string& cluster,
                                                                const std::string& function) {
  TCFDL_ASSIGN(const auto stored,
               database_.query_one("SELECT descriptor FROM staged_functions WHERE function = ? AND cluster = ?",
                                   {function, cluster}, [](const Row& row) { return row.blob(0); }));
  if (!stored) return std::optional<wire::Signed>();
  TCFDL_ASSIGN(auto descriptor, wire::parse<wire::Signed>(*stored));
  return std::optional(std::move(descriptor));
}

Status Registry::unregister_function(const std::string& cluster, const std::string& function) {
  FunctionUnregistered removed;
  removed.set_cluster(cluster);
  removed.set_function(function);
  TCFDL_TRY(log_.append(removed));
  return {};
}

Result<wire::Inquired> Registry::inquire(const wire::Inquire& request) {
  const auto limit = request.limit() == 0 ? kMostInquired : std::min<std::int64_t>(request.limit(), kMostInquired);
  wire::Inquired inquired;
  TCFDL_TRY(list_providers(request, limit, inquired));
  TCFDL_TRY(list_clusters(request, limit, inquired));
  return inquired;
}

Status Registry::list_providers(const wire::Inquire& request, std::int64_t limit, wire::Inquired& out) {
  return database_.query("SELECT p.cluster, f.descriptor FROM providers p JOIN functions f USING (function) "
                         "JOIN clusters c USING (cluster) WHERE c.expires > ?1 AND (?2 = '' OR p.function = ?2) "
                         "AND (?3 = '' OR p.cluster = ?3) ORDER BY p.function, p.cluster",
                         {clock_.now(), request.function(), request.cluster()}, [&](const Row& row) -> Status {
                           if (out.providers_size() >= limit) return {};
                           TCFDL_ASSIGN(auto statement, wire::parse<wire::Signed>(row.blob(1)));
                           TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(statement.statement()));
                           if (descriptor.has_topic()) return {}; // of one cluster, and called by nobody
                           auto& provider = *out.add_providers();
                           provider.set_cluster(row.text(0));
                           *provider.mutable_descriptor() = std::move(statement);
                           return {};
                         });
}

Status Registry::list_clusters(const wire::Inquire& request, std::int64_t limit, wire::Inquired& out) {
  return database_.query("SELECT cluster, link, expires, certificate FROM clusters c WHERE expires > ?1 "
                         "AND (?3 = '' OR cluster = ?3) AND (?2 = '' OR EXISTS (SELECT 1 FROM providers p "
                         "WHERE p.function = ?2 AND p.cluster = c.cluster)) ORDER BY cluster LIMIT ?4",
                         {clock_.now(), request.function(), request.cluster(), limit}, [&](const Row& row) -> Status {
                           auto& cluster = *out.add_clusters();
                           cluster.set_cluster(row.text(0));
                           TCFDL_ASSIGN(*cluster.mutable_link(), wire::parse<wire::LinkAddress>(row.blob(1)));
                           cluster.set_expires(row.integer(2));
                           TCFDL_ASSIGN(*cluster.mutable_certificate(), wire::parse<wire::Signed>(row.blob(3)));
                           return {};
                         });
}

Result<wire::Signed> Registry::current_descriptor(std::string_view function) {
  TCFDL_ASSIGN(const auto stored,
               database_.query_one("SELECT descriptor FROM functions WHERE function = ?", {std::string(function)},
                                   [](const Row& row) { return row.blob(0); }));
  if (stored) return wire::parse<wire::Signed>(*stored);
  return make_error(Code::kNotFound,
                    "no function {} is registered; deploy it in a cluster, or check the name with an inquiry",
                    function);
}

} // namespace tcfdl::service_manager
