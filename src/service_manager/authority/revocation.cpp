// The authority's revocation list.
#include "base/log.hpp"
#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/operations.pb.h"

#include <map>
#include <set>

namespace tcfdl::service_manager {

Status Authority::revoke(const wire::Revoke& request, const std::string& cluster) {
  CertificatesRevoked revoked;
  revoked.set_cluster(cluster);
  switch (request.kind_case()) {
  case wire::Revoke::kNode: revoked.set_node(request.node()); break;
  case wire::Revoke::kInstance: revoked.set_instance(request.instance()); break;
  case wire::Revoke::kClient: revoked.set_client(request.client()); break;
  case wire::Revoke::KIND_NOT_SET: return Error(Code::kInvalidArgument, "a revocation of nothing");
  }
  const auto revoke_all = [&]() -> Status {
    TCFDL_TRY(parts_.log.append(revoked));
    return end_enrolment(request, cluster);
  };
  TCFDL_TRY(parts_.database.transaction(revoke_all));
  spdlog::warn("{} of cluster {} is revoked",
               request.has_node()       ? request.node()
               : request.has_instance() ? request.instance()
                                        : request.client(),
               cluster);
  return {};
}

Status Authority::end_enrolment(const wire::Revoke& request, const std::string& cluster) {
  if (request.has_instance()) return {};
  const auto& name = request.has_node() ? request.node() : request.client();
  TCFDL_ASSIGN(const auto subject, authority::find_subject(parts_.database, cluster, name));
  const bool is_client = subject && subject->role == wire::ROLE_CLIENT;
  if (!subject || is_client != request.has_client()) return {};
  return remove_subject(cluster, name);
}

Result<std::uint64_t> Authority::revocation_number() {
  TCFDL_ASSIGN(const auto number, parts_.database.query_one("SELECT number FROM revocation_number", {},
                                                            [](const database::Row& row) { return row.integer(0); }));
  return static_cast<std::uint64_t>(number.value_or(0));
}

Result<wire::Signed> Authority::revocations() {
  return list_.with([&](auto& held) -> Result<wire::Signed> {
    TCFDL_ASSIGN(const auto number, revocation_number());
    if (held.first != number) {
      TCFDL_ASSIGN(const auto list, compose_revocations(number));
      held = {number, wire::sign(keys_->signing_key(), list)};
    }
    return held.second;
  });
}

/// Certificates that have expired need no revocation; an epoch is named until every key package of those before it has
/// expired.
Result<wire::RevocationList> Authority::compose_revocations(std::uint64_t number) {
  const auto now = parts_.clock.now();
  wire::RevocationList list;
  list.set_number(number);
  list.set_issued(now);
  std::set<Bytes> keys;
  TCFDL_TRY(parts_.database.query("SELECT serial, key FROM revocations WHERE expires > ? ORDER BY serial", {now},
                                  [&](const database::Row& row) -> Status {
                                    list.add_serials(static_cast<std::uint64_t>(row.integer(0)));
                                    if (auto key = row.blob(1); !key.empty()) keys.insert(std::move(key));
                                    return {};
                                  }));
  for (const auto& key : keys) list.add_keys(wire::field(key));
  std::map<std::string, wire::FunctionEpoch*> functions;
  TCFDL_TRY(parts_.database.query("SELECT function, epoch FROM function_epochs WHERE raised > ? ORDER BY function",
                                  {now - settings_.certificate_lifetime}, [&](const database::Row& row) -> Status {
                                    auto& epoch = *list.add_epochs();
                                    epoch.set_function(row.text(0));
                                    epoch.set_epoch(static_cast<std::uint32_t>(row.integer(1)));
                                    functions[epoch.function()] = &epoch;
                                    return {};
                                  }));
  TCFDL_TRY(parts_.database.query("SELECT function, epoch, until FROM retired_epochs WHERE until > ?", {now},
                                  [&](const database::Row& row) -> Status {
                                    const auto found = functions.find(row.text(0));
                                    if (found == functions.end()) return {};
                                    auto& retired = *found->second->add_retired();
                                    retired.set_epoch(static_cast<std::uint32_t>(row.integer(1)));
                                    retired.set_until(row.integer(2));
                                    return {};
                                  }));
  return list;
}

} // namespace tcfdl::service_manager
