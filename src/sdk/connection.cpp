#include "sdk/connection.hpp"

#include "base/log.hpp"
#include "wire/tls_connection.hpp"

namespace tcfdl::sdk {
namespace {

/// By TLS where the address says so: to a server that the context names, of the root that it has.
Result<Connector> connector_of(const Context& context) {
  TCFDL_ASSIGN(auto address, wire::parse_address(context.tasks_address));
  const auto* tcp = std::get_if<wire::TcpAddress>(&address);
  if (tcp == nullptr || !tcp->tls) return connector_to(std::move(address));
  TCFDL_ASSIGN(auto tls, crypto::TlsContext::client(context.tls_root));
  return [address = std::move(address), tls = std::move(tls), server = context.tls_server_name](Deadline deadline) {
    return wire::connect_tls(address, tls, server, deadline);
  };
}

} // namespace

Result<ConnectionParts> connection_of(const std::string& name) {
  TCFDL_ASSIGN(const auto context, load_context(name));
  TCFDL_ASSIGN(auto identity, identity_of(context));
  TCFDL_ASSIGN(auto connector, connector_of(context));
  TCFDL_ASSIGN(auto names, wire::KnownNames::open(names_file(context), identity.authority.bytes()));
  const auto keep = [name, context](const wire::Signed& certificate) {
    const auto kept = update_certificate(name, context, wire::serialize(certificate));
    if (!kept) spdlog::warn("a newer certificate serves this process alone: {}", kept.error().to_string());
  };
  return ConnectionParts{std::move(identity), std::move(connector), context.tasks_token, std::move(names), keep};
}

} // namespace tcfdl::sdk
