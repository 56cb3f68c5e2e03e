#include "collaboration/links.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"
#include "wire/descriptor.hpp"
#include "wire/server_names.hpp"

#include <algorithm>
#include <set>

namespace tcfdl::collaboration {
namespace {

using std::chrono::seconds;

std::string address_text(const wire::LinkAddress& address) {
  return fmt::format("{}:{}", address.host(), address.port());
}

/// What a cluster grants is what the registry lists it for: its own lease, the same owner's function, no older version.
Status check_grant(const wire::FunctionProvider& provider, const wire::LeaseGrant& grant) {
  if (grant.cluster() != provider.cluster()) {
    return make_error(Code::kPermissionDenied, "cluster {} granted a lease of {}", provider.cluster(), grant.cluster());
  }
  const auto& listed = provider.descriptor();
  if (grant.descriptor().statement() == listed.statement()) return {};
  TCFDL_ASSIGN(const auto wanted, wire::check_descriptor(listed));
  TCFDL_ASSIGN(const auto offered, wire::check_descriptor(grant.descriptor()));
  if (offered.name() != wanted.name()) {
    return make_error(Code::kPermissionDenied, "cluster {} granted {} for {}", provider.cluster(), offered.name(),
                      wanted.name());
  }
  auto follows = wire::check_succession(offered.name(), wire::held_name(wanted, as_bytes(listed.statement())),
                                        wire::held_name(offered, as_bytes(grant.descriptor().statement())));
  if (follows) return follows;
  return follows.error().within("cluster " + provider.cluster());
}

} // namespace

Result<wire::Inquired> Links::inquire(const std::string& function, Deadline deadline) {
  const auto now = Clock::now();
  auto known = known_.with([&](const auto& all) -> std::optional<Known> {
    const auto found = all.find(function);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  });
  if (known && now - known->asked < settings_.cache) return known->answer;
  wire::Inquire request;
  request.set_function(function);
  auto answer = registry_.inquire(request, deadline.earlier(Deadline::after(seconds(2))));
  if (answer) {
    known_.with([&](auto& all) {
      if (all.size() > 10'000) all.clear();
      all.insert_or_assign(function, Known{*answer, now});
    });
    return answer;
  }
  if (known && now - known->asked < settings_.stale) return known->answer;
  return answer;
}

bool Links::provides(const std::string& function) {
  const auto answer = inquire(function, Deadline::after(seconds(2)));
  return answer && std::ranges::any_of(answer->providers(),
                                       [&](const auto& provider) { return provider.cluster() != settings_.cluster; });
}

Result<wire::LeaseGrant> Links::lease(const wire::LeaseRequest& request, Deadline deadline) {
  TCFDL_ASSIGN(const auto answer, inquire(request.function(), deadline));
  std::vector<const wire::FunctionProvider*> providers;
  for (const auto& provider : answer.providers()) {
    const auto& cluster = provider.cluster();
    const bool wanted = request.cluster().empty() ? cluster != settings_.cluster : cluster == request.cluster();
    if (wanted) providers.push_back(&provider);
  }
  if (providers.empty()) {
    return make_error(Code::kNotFound, "no {} provides {}",
                      request.cluster().empty() ? "other cluster" : "cluster " + request.cluster(), request.function());
  }
  Error last(Code::kUnavailable, "");
  for (const auto* provider : providers) {
    auto grant = lease_at(*provider, request, deadline);
    if (grant) return grant;
    last = grant.error();
    if (deadline.expired()) break;
  }
  return last;
}

Result<wire::LeaseGrant> Links::lease_at(const wire::FunctionProvider& provider, const wire::LeaseRequest& request,
                                         Deadline deadline) {
  const auto& cluster = provider.cluster();
  TCFDL_ASSIGN(const auto bus, link(cluster, deadline));
  wire::LinkRequest message;
  message.set_cluster(settings_.cluster);
  *message.mutable_lease() = request;
  message.mutable_lease()->set_cluster(cluster);
  message.mutable_lease()->set_remaining_ms(static_cast<std::uint32_t>(deadline.left_millis()));
  auto answer = bus->request(link_subject(settings_.cluster), wire::serialize(message), deadline);
  if (!answer) {
    if (answer.error().code() != Code::kUnavailable) return answer.error();
    return answer.error().within(fmt::format("cluster {} cannot be reached", cluster));
  }
  TCFDL_ASSIGN(auto reply, wire::parse<wire::LinkReply>(*answer));
  if (!reply.has_grant()) return make_error(Code::kInternal, "cluster {} answered with no lease", cluster);
  auto grant = std::move(*reply.mutable_grant());
  if (const auto good = check_grant(provider, grant); !good) {
    give_back(cluster, grant, good.error());
    return good.error();
  }
  grant.clear_routes(); // they lead from there, not from here
  grant.add_routes()->set_kind(wire::ROUTE_KIND_RELAY);
  return grant;
}

void Links::give_back(const std::string& cluster, const wire::LeaseGrant& grant, const Error& why) {
  wire::LeaseRelease unused;
  if (const auto lease = wire::parse<wire::Lease>(grant.lease().statement())) unused.set_lease_id(lease->lease_id());
  unused.set_cluster(cluster);
  unused.set_reason(why.message());
  release(unused);
}

void Links::release(const wire::LeaseRelease& release) {
  const auto deadline = Deadline::after(seconds(2));
  const auto bus = link(release.cluster(), deadline);
  if (!bus) return;
  wire::LinkRequest message;
  message.set_cluster(settings_.cluster);
  *message.mutable_release() = release;
  (void)(*bus)->request(link_subject(settings_.cluster), wire::serialize(message),
                        deadline); // the lease also ends by itself
}

Result<std::unique_ptr<wire::Connection>> Links::open(const wire::OpenRelay& relay, Deadline deadline) {
  TCFDL_ASSIGN(const auto bus, link(relay.cluster(), deadline));
  const auto& node = relay.through_proxies() ? relay.master() : relay.node();
  TCFDL_TRY(check_label(node, "node"));
  TCFDL_ASSIGN(auto stream, message_queue::open_stream(*bus, relay_subject(node), wire::serialize(relay), deadline,
                                                       relay_stream(node, link_user(settings_.cluster))));
  return std::make_unique<StreamConnection>(std::move(stream), bus);
}

std::vector<PeerStatus> Links::peers() {
  std::vector<PeerStatus> result;
  const auto answer = inquire({}, Deadline::after(seconds(2)));
  if (!answer) return result;
  for (const auto& info : answer->clusters()) {
    if (info.cluster() == settings_.cluster) continue;
    const auto bus = link(info.cluster(), Deadline::after(seconds(1)));
    result.push_back({info.cluster(), bus && (*bus)->connected(), info.expires()});
  }
  return result;
}

Result<std::shared_ptr<message_queue::NatsBus>> Links::link(const std::string& cluster, Deadline deadline) {
  const auto known = links_.with([&](const auto& links) {
    const auto found = links.find(cluster);
    return found == links.end() ? Link() : found->second;
  });
  const bool usable = known.bus && known.bus->connected();
  if (usable && Clock::now() < known.renew_at) return known.bus;
  auto made = find_and_connect(cluster, deadline);
  if (made || !usable) return made;
  links_.with([&](auto& links) { links[cluster].renew_at = Clock::now() + seconds(60); }); // calls go on meanwhile
  return known.bus;
}

Result<std::shared_ptr<message_queue::NatsBus>> Links::find_and_connect(const std::string& cluster, Deadline deadline) {
  // A cluster that came back may have another address.
  TCFDL_ASSIGN(const auto answer, inquire({}, deadline));
  for (const auto& info : answer.clusters()) {
    if (info.cluster() == cluster) return connect(cluster, info.link(), deadline);
  }
  return make_error(Code::kUnavailable, "cluster {} is not registered or its registration has expired", cluster);
}

Result<std::shared_ptr<message_queue::NatsBus>> Links::connect(const std::string& cluster,
                                                               const wire::LinkAddress& address, Deadline deadline) {
  const auto text = address_text(address);
  auto known = links_.with([&](const auto& links) -> std::shared_ptr<message_queue::NatsBus> {
    const auto found = links.find(cluster);
    const bool good = found != links.end() && found->second.address == text && Clock::now() < found->second.renew_at;
    return good ? found->second.bus : nullptr;
  });
  if (known) return known; // it reconnects by itself
  auto key = message_queue::Nkey::generate(message_queue::NkeyKind::kUser);
  TCFDL_ASSIGN(const auto credential, registry_.link_credential(cluster, key.public_text(), deadline));
  message_queue::NatsBusSettings settings;
  settings.host = address.host();
  settings.port = static_cast<std::uint16_t>(address.port());
  settings.tls = message_queue::TlsTrust{settings_.root_pem, wire::cluster_server(cluster)};
  settings.name = link_user(settings_.cluster);
  settings.inbox_prefix = inbox_prefix(settings.name);
  settings.credential = std::make_shared<message_queue::UserCredential>(std::move(key), credential.jwt());
  auto bus = message_queue::NatsBus::connect(settings);
  if (!bus) return bus.error().within(fmt::format("cluster {} cannot be reached", cluster));
  std::shared_ptr<message_queue::NatsBus> shared(*std::move(bus));
  spdlog::info("link to cluster {} is up", cluster);
  const auto half = Clock::now() + seconds((credential.expires() - credential.issued()) / 2);
  links_.with([&](auto& links) { links.insert_or_assign(cluster, Link{text, shared, half}); });
  return shared;
}

} // namespace tcfdl::collaboration
