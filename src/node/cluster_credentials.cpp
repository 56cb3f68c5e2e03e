#include "node/cluster_credentials.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "collaboration/permissions.hpp"
#include "service_manager/service.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::node {

using message_queue::Nkey;
using message_queue::NkeyKind;

Result<std::unique_ptr<ClusterCredentials>> ClusterCredentials::open(ClusterCredentialsSettings settings, Nkey signing,
                                                                     collaboration::ClusterAccount account,
                                                                     const crypto::VerifyKey& authority,
                                                                     const Clock& clock) {
  std::unique_ptr<ClusterCredentials> credentials(
      new ClusterCredentials(std::move(settings), std::move(signing), std::move(account), authority, clock));
  TCFDL_TRY(credentials->read());
  return credentials;
}

Status ClusterCredentials::read() {
  const auto text = read_text_file(settings_.file);
  if (!text && text.error().code() == Code::kNotFound) return {};
  if (!text) return text.error();
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  const bool good = json.is_object() && json.contains("nodes") && json.contains("revoked") &&
                    json["nodes"].is_object() && json["revoked"].is_array();
  if (!good) return make_error(Code::kDataLoss, "{} is damaged; restore it", settings_.file.string());
  users_.with([&](Users& users) {
    for (const auto& [node, known] : json["nodes"].items()) {
      users.nodes[node] = {known.value("user", ""), known.value("verify_key", "")};
    }
    for (const auto& key : json["revoked"]) {
      if (key.is_string()) users.revoked.insert(key.get<std::string>());
    }
  });
  return {};
}

Status ClusterCredentials::write(const Users& users) const {
  nlohmann::json nodes = nlohmann::json::object();
  for (const auto& [node, known] : users.nodes) nodes[node] = {{"user", known.user}, {"verify_key", known.verify_key}};
  const nlohmann::json json{{"nodes", nodes}, {"revoked", users.revoked}};
  return write_file(settings_.file, as_bytes(json.dump(2)), kPrivateFile);
}

message_queue::ServerTrust ClusterCredentials::trust() const {
  return account_.with([](const collaboration::ClusterAccount& account) {
    message_queue::ServerTrust trust;
    trust.operator_jwt = account.operator_jwt();
    trust.accounts = {{account.system_account(), account.system_account_jwt()},
                      {account.account(), account.account_jwt()}};
    return trust;
  });
}

void ClusterCredentials::set_account(collaboration::ClusterAccount account) {
  account_.with([&](auto& held) { held = std::move(account); });
}

Result<std::string> ClusterCredentials::sign(message_queue::UserClaims claims) const {
  claims.account = account_.with([](const auto& account) { return account.account(); });
  return message_queue::sign_user(signing_, claims, clock_.now());
}

Result<std::shared_ptr<message_queue::UserCredential>> ClusterCredentials::own_user() const {
  auto key = Nkey::generate(NkeyKind::kUser);
  message_queue::UserClaims claims;
  claims.name = settings_.node;
  claims.user = key.public_text();
  claims.permissions = collaboration::master_permissions(settings_.node);
  TCFDL_ASSIGN(auto jwt, sign(std::move(claims)));
  return std::make_shared<message_queue::UserCredential>(std::move(key), std::move(jwt));
}

Result<service_manager::authority::EnrollingUser> ClusterCredentials::enrolling_user(UnixSeconds expires) const {
  const auto key = Nkey::generate(NkeyKind::kUser);
  message_queue::UserClaims claims;
  claims.name = key.public_text();
  claims.user = key.public_text();
  claims.permissions = collaboration::enrolling_worker_permissions(claims.name);
  claims.expires = expires;
  TCFDL_ASSIGN(auto jwt, sign(std::move(claims)));
  return service_manager::authority::EnrollingUser{std::string(as_text(key.seed_text().span())), std::move(jwt)};
}

Status ClusterCredentials::remember(const wire::Certificate& node, const std::string& user) {
  TCFDL_TRY(message_queue::parse_public_nkey(user, NkeyKind::kUser));
  const auto key = to_hex(as_bytes(node.verify_key()));
  return users_.with([&](Users& users) -> Status {
    if (users.revoked.contains(key)) {
      return make_error(Code::kPermissionDenied, "{} was revoked; enrol it again", node.subject());
    }
    // One user a key, so that a revocation of the user leaves no other behind.
    const auto known = users.nodes.find(node.subject());
    if (known != users.nodes.end() && known->second.verify_key == key && known->second.user != user) {
      return make_error(Code::kPermissionDenied, "{} has another user already; enrol it again", node.subject());
    }
    auto changed = users;
    changed.nodes[node.subject()] = {user, key};
    TCFDL_TRY(write(changed));
    users = std::move(changed);
    return {};
  });
}

Result<Bytes> ClusterCredentials::handle(BytesView request) {
  auto issued = issue(request);
  if (!issued) spdlog::warn("a NATS credential is refused: {}", issued.error().to_string());
  return issued;
}

Result<Bytes> ClusterCredentials::issue(BytesView request) {
  TCFDL_ASSIGN(const auto worker,
               service_manager::open_request(authority_, request, {wire::ROLE_WORKER}, clock_.now()));
  const auto& certificate = worker.certificate;
  if (certificate.cluster() != settings_.cluster || certificate.subject() == settings_.node) {
    return make_error(Code::kPermissionDenied, "{} of cluster {} is no worker of {}", certificate.subject(),
                      certificate.cluster(), settings_.cluster);
  }
  TCFDL_ASSIGN(const auto body, wire::parse<collaboration::CredentialRequest>(worker.body));
  if (!body.has_own()) return Error(Code::kPermissionDenied, "a master issues nodes their own credential only");
  TCFDL_TRY(remember(certificate, body.user_key()));
  collaboration::CredentialReply reply;
  auto& credential = *reply.mutable_credential();
  credential.set_issued(clock_.now());
  credential.set_expires(std::min(clock_.now() + settings_.lifetime, certificate.expires()));
  message_queue::UserClaims claims;
  claims.name = certificate.subject();
  claims.user = body.user_key();
  claims.permissions = collaboration::worker_permissions(certificate.subject());
  claims.expires = credential.expires();
  TCFDL_ASSIGN(*credential.mutable_jwt(), sign(std::move(claims)));
  return wire::serialize(reply);
}

Result<std::string> ClusterCredentials::refuse(const std::string& node) {
  return users_.with([&](Users& users) -> Result<std::string> {
    const auto found = users.nodes.find(node);
    if (found == users.nodes.end()) {
      return make_error(Code::kNotFound, "no worker {} has a credential of this cluster", node);
    }
    auto changed = users;
    changed.revoked.insert(found->second.verify_key);
    TCFDL_TRY(write(changed));
    auto user = found->second.user;
    users.revoked = std::move(changed.revoked);
    return user;
  });
}

std::vector<std::string> ClusterCredentials::workers() const {
  return users_.with([](const Users& users) {
    std::vector<std::string> names;
    for (const auto& [name, known] : users.nodes) names.push_back(name);
    return names;
  });
}

bool ClusterCredentials::admits(const std::string& node) const {
  return node == settings_.node || users_.with([&](const Users& users) {
    const auto found = users.nodes.find(node);
    return found != users.nodes.end() && !users.revoked.contains(found->second.verify_key);
  });
}

Status ClusterCredentials::forget(const std::string& node) {
  return users_.with([&](Users& users) -> Status {
    auto changed = users;
    if (changed.nodes.erase(node) == 0) return {};
    TCFDL_TRY(write(changed));
    users = std::move(changed);
    return {};
  });
}

} // namespace tcfdl::node
