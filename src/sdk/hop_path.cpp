#include "sdk/hop_path.hpp"

#include "wire/proto/hop.pb.h"

namespace tcfdl::sdk {
namespace {

/// A path is used for as long as a capsule is.
constexpr std::chrono::minutes kRenewal{8};

/// Where the daemons are to lead. They are not trusted with it: each proxy looks who answers.
Result<wire::OpenRelay> way_to(const Identity& identity, const wire::LeaseGrant& grant, std::int64_t now) {
  TCFDL_ASSIGN(const auto master,
               wire::verify_certificate(identity.authority, grant.master_certificate(), {wire::ROLE_MASTER}, now));
  wire::OpenRelay relay;
  relay.set_cluster(grant.cluster());
  relay.set_node(grant.node());
  relay.set_instance(grant.instance());
  relay.set_through_proxies(true);
  relay.set_master(master.node());
  return relay;
}

Status check_entry(const Identity& identity, const wire::Certificate& proxy, const std::string& assurance) {
  TCFDL_ASSIGN(const auto self, wire::parse<wire::Certificate>(identity.certificate.get().statement()));
  if (proxy.cluster() != self.cluster()) {
    return make_error(Code::kPermissionDenied, "{} of cluster {} answers where a proxy of {} was expected",
                      proxy.subject(), proxy.cluster(), self.cluster());
  }
  if (wire::assurance_meets(proxy.assurance(), assurance)) return {};
  return make_error(Code::kPermissionDenied, "{} is of class '{}'; the data is for proxies of class '{}'",
                    proxy.subject(), proxy.assurance(), assurance);
}

} // namespace

Result<std::unique_ptr<HopPath>> open_hop_path(const Identity& identity, TaskManager& task_manager,
                                               const wire::LeaseGrant& grant, const std::string& function,
                                               std::int64_t now, Deadline deadline) {
  TCFDL_ASSIGN(const auto relay, way_to(identity, grant, now));
  TCFDL_ASSIGN(auto carrier, task_manager.open_relay(relay, deadline));
  const auto certificate = identity.certificate.get();
  TCFDL_ASSIGN(auto channel, wire::open_hop(*carrier, {identity.signing, certificate, identity.authority},
                                            {wire::ROLE_PROXY}, now, deadline));
  TCFDL_TRY(check_entry(identity, channel->peer(), grant.assurance()));
  wire::HopRoute route;
  route.set_function(function);
  route.set_assurance(grant.assurance());
  route.set_cluster(grant.cluster());
  route.set_instance(grant.instance());
  TCFDL_ASSIGN(auto proxies, wire::extend_path(*channel, route, deadline));
  // Certificates are renewed at half of their life, so every one on the path outlives half of what this one has left.
  const auto renewal = Deadline::after(std::min<std::chrono::nanoseconds>(kRenewal, channel->end().left() / 2));
  return std::make_unique<HopPath>(HopPath{std::move(carrier), std::move(channel), std::move(proxies), renewal});
}

} // namespace tcfdl::sdk
