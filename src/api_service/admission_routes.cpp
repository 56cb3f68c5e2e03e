#include "api_service/routes.hpp"
#include "base/encoding.hpp"
#include "http/json.hpp"

namespace tcfdl::api_service {
namespace {

constexpr std::int64_t kLongestTokenLifetime = 30L * 24 * 3600;

Result<wire::Role> role_of(const std::string& name) {
  if (name == "worker") return wire::ROLE_WORKER;
  if (name == "client") return wire::ROLE_CLIENT;
  if (name == "master") return wire::ROLE_MASTER;
  return make_error(Code::kInvalidArgument, "body: 'role': '{}' is none of worker, client, master",
                    http::printable(name, 40));
}

Result<TokenRequest> token_request_of(const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  TokenRequest wanted;
  const auto role = body.text("role");
  wanted.lifetime = std::chrono::seconds(body.integer_or("lifetime_s", 3600, 1, kLongestTokenLifetime));
  wanted.cluster = body.text_or("cluster", "");
  wanted.grants = body.texts("grants");
  TCFDL_TRY(body.finish());
  TCFDL_ASSIGN(wanted.role, role_of(role));
  if (!wanted.cluster.empty()) TCFDL_TRY(check_label(wanted.cluster, "body: 'cluster'"));
  if (!wanted.cluster.empty() && wanted.role != wire::ROLE_MASTER) {
    return Error(Code::kInvalidArgument, "body: 'cluster' is for masters only; others join this master's cluster");
  }
  if (!wanted.grants.empty() && wanted.role != wire::ROLE_CLIENT) {
    return Error(Code::kInvalidArgument, "body: 'grants' are for clients only");
  }
  return wanted;
}

Result<Json> create(Tokens& tokens, const http::Request& request) {
  TCFDL_ASSIGN(const auto wanted, token_request_of(request));
  TCFDL_ASSIGN(const auto issued, tokens.create(wanted));
  return Json{{"token", issued.token}, {"expires", issued.expires}};
}

Result<Json> enrol(Enrolment& enrolment, const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  const auto text = body.text("request");
  TCFDL_TRY(body.finish());
  const auto bytes = from_base64url(text);
  if (!bytes) return bytes.error().within("body: 'request'");
  TCFDL_ASSIGN(const auto message, wire::parse<wire::AuthorityRequest>(*bytes));
  if (!message.has_enrol()) return Error(Code::kInvalidArgument, "body: 'request' is no enrolment");
  TCFDL_ASSIGN(const auto reply, enrolment.enrol(message));
  return Json{{"reply", to_base64url(wire::serialize(reply))}};
}

Result<Json> certificate_of_now(Enrolment& enrolment, const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  const auto text = body.text("certificate");
  TCFDL_TRY(body.finish());
  const auto bytes = from_base64url(text);
  if (!bytes) return bytes.error().within("body: 'certificate'");
  TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Signed>(*bytes));
  return enrolment.certificate_of_now(certificate);
}

Result<Json> revoke(Enrolment& enrolment, const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  const auto node = body.text_or("node", "");
  const auto instance = body.text_or("instance", "");
  const auto client = body.text_or("client", "");
  TCFDL_TRY(body.finish());
  if ((node.empty() ? 0 : 1) + (instance.empty() ? 0 : 1) + (client.empty() ? 0 : 1) != 1) {
    return Error(Code::kInvalidArgument, "body: names one of 'node', 'instance' and 'client'");
  }
  const auto name = node + instance + client;
  if (!instance.empty()) {
    TCFDL_TRY(enrolment.revoke_instance(instance));
  } else {
    TCFDL_TRY(check_label(name, node.empty() ? "body: 'client'" : "body: 'node'"));
    TCFDL_TRY(node.empty() ? enrolment.revoke_client(client) : enrolment.revoke_node(node));
  }
  return Json{{"revoked", name}};
}

Result<Json> change_grants(Enrolment& enrolment, const http::Request& request) {
  TCFDL_ASSIGN(auto body, http::JsonObject::parse(request.body, "body"));
  wire::ChangeGrants change;
  change.set_client(body.text("client"));
  for (const auto& grant : body.texts("add")) change.add_add(grant);
  for (const auto& grant : body.texts("remove")) change.add_remove(grant);
  TCFDL_TRY(body.finish());
  TCFDL_TRY(check_label(change.client(), "body: 'client'"));
  if (change.add().empty() && change.remove().empty()) {
    return Error(Code::kInvalidArgument, "body: neither 'add' nor 'remove' names a grant");
  }
  return enrolment.change_grants(change);
}

Result<Json> list_clients(Enrolment& enrolment) {
  TCFDL_ASSIGN(auto clients, enrolment.clients());
  return Json{{"clients", std::move(clients)}};
}

} // namespace

void add_admission_routes(http::Server& server, Tokens& tokens, Enrolment& enrolment) {
  server.add(
      "POST", "/v1/tokens",
      [&tokens](const http::Request& request) { return answer(create(tokens, request), request, 201); },
      from(Level::kAdmin));
  server.add(
      "POST", "/v1/enrol",
      [&enrolment](const http::Request& request) { return answer(enrol(enrolment, request), request); },
      from(Level::kViewer));
  server.add(
      "POST", "/v1/certificate",
      [&enrolment](const http::Request& request) { return answer(certificate_of_now(enrolment, request), request); },
      from(Level::kViewer));
  server.add(
      "POST", "/v1/revocations",
      [&enrolment](const http::Request& request) { return answer(revoke(enrolment, request), request, 201); },
      from(Level::kAdmin));
  server.add(
      "GET", "/v1/clients",
      [&enrolment](const http::Request& request) { return answer(list_clients(enrolment), request); },
      from(Level::kAdmin));
  server.add(
      "POST", "/v1/grants",
      [&enrolment](const http::Request& request) { return answer(change_grants(enrolment, request), request); },
      from(Level::kAdmin));
}

} // namespace tcfdl::api_service
