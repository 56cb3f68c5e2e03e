#include "node/api_callers.hpp"

#include "wire/client_leaf.hpp"

namespace tcfdl::node {
namespace {

http::Caller caller_of(const security_manager::Principal& principal) {
  return {principal.name, std::string(security_manager::role_name(principal.role)), static_cast<int>(principal.role)};
}

} // namespace

http::Authenticate authenticate_with(const security_manager::AccessControl& access) {
  return [&access](std::string_view token) -> std::optional<http::Caller> {
    const auto principal = access.authenticate(token);
    return principal ? std::optional(caller_of(*principal)) : std::nullopt;
  };
}

http::Identify identify_with(const security_manager::AccessControl& access, const ClientTrust& trust) {
  return [&access, trust](BytesView certificate) -> Result<http::Caller> {
    TCFDL_ASSIGN(const auto client, wire::verify_client_leaf(certificate, {trust.authority, trust.cluster,
                                                                           trust.revocations, trust.clock.now()}));
    TCFDL_ASSIGN(const auto principal, access.client(client.parsed.subject()));
    return caller_of(principal);
  };
}

std::function<void(const http::Answered&)> record_in(security_manager::AuditLog& audit) {
  return [&audit](const http::Answered& request) {
    const bool allowed = !request.was_refused();
    if (allowed && (request.method == "GET" || request.method == "HEAD")) return;
    const auto caller = request.caller.value_or(http::Caller{});
    audit.add({caller.name, caller.role, request.remote, request.method, request.path, allowed,
               fmt::format("{}", request.status)});
  };
}

} // namespace tcfdl::node
