// The clients of clusters: what they may call, and the certificates that say so.
#include "service_manager/authority/authority.hpp"
#include "service_manager/operations.pb.h"

namespace tcfdl::service_manager {
namespace {

wire::EnrolledClient to_message(const authority::ClientRow& row) {
  wire::EnrolledClient client;
  client.set_name(row.name);
  client.set_enrolled(row.enrolled);
  *client.mutable_grants() = {row.grants.begin(), row.grants.end()};
  return client;
}

} // namespace

Result<authority::ClientRow> Authority::find_client(const std::string& client, const std::string& cluster) {
  TCFDL_TRY(check_label(client, "client"));
  TCFDL_ASSIGN(auto rows, authority::clients_of(parts_.database, cluster, client));
  if (!rows.empty()) return std::move(rows.front());
  return make_error(Code::kNotFound, "no client is enrolled as {} in cluster {}", client, cluster);
}

Result<wire::EnrolledClient> Authority::change_grants(const wire::ChangeGrants& request, const std::string& cluster) {
  wire::EnrolledClient client;
  const auto change = [&]() -> Status {
    TCFDL_ASSIGN(const auto row, find_client(request.client(), cluster));
    TCFDL_ASSIGN(const auto grants, authority::changed_grants(row.grants, {request.add().begin(), request.add().end()},
                                                              {request.remove().begin(), request.remove().end()}));
    client =
        to_message({.name = row.name, .verify_key = {}, .seal_key = {}, .grants = grants, .enrolled = row.enrolled});
    if (grants == row.grants) return {};
    GrantsChanged changed;
    changed.set_cluster(cluster);
    changed.set_client(row.name);
    *changed.mutable_grants() = client.grants();
    TCFDL_TRY(parts_.log.append(changed));
    return {};
  };
  TCFDL_TRY(parts_.database.transaction(change));
  return client;
}

Result<wire::Clients> Authority::clients(const std::string& cluster) {
  TCFDL_ASSIGN(const auto rows, authority::clients_of(parts_.database, cluster));
  wire::Clients clients;
  for (const auto& row : rows) *clients.add_clients() = to_message(row);
  return clients;
}

Result<wire::Signed> Authority::renew_certificate(const std::string& client, const std::string& cluster) {
  TCFDL_ASSIGN(const auto row, find_client(client, cluster));
  TCFDL_TRY(authority::check_not_revoked(parts_.database, 0, row.verify_key, client));
  wire::Certificate certificate;
  certificate.set_subject(row.name);
  certificate.set_role(wire::ROLE_CLIENT);
  certificate.set_verify_key(wire::field(row.verify_key));
  certificate.set_seal_key(wire::field(row.seal_key));
  certificate.set_cluster(cluster);
  certificate.set_issued(parts_.clock.now());
  certificate.set_expires(expiry());
  *certificate.mutable_grants() = {row.grants.begin(), row.grants.end()};
  TCFDL_TRY(number({&certificate}, {}, cluster));
  return wire::sign(keys_->signing_key(), certificate);
}

} // namespace tcfdl::service_manager
