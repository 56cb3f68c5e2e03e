#include "insider.hpp"

#include "base/encoding.hpp"
#include "crypto/pem.hpp"
#include "service_manager/authority/operations.hpp"
#include "wire/server_names.hpp"

namespace tcfdl::test {

namespace authority = service_manager::authority;

namespace {

Json state_of(const Platform& platform, const std::string& node) {
  return Json::parse(read_text_file(platform.state() / "nodes" / node / "node.json").value());
}

/// How the node's server is known, which every node that enrolled was told.
message_queue::TlsTrust trust_in(const Platform& platform, const std::string& node) {
  message_queue::TlsTrust trust;
  trust.server_name = wire::kServiceManagerServer;
  for (const auto& entry : std::filesystem::directory_iterator(platform.state() / "nodes")) {
    const auto name = entry.path().filename().string();
    const auto state = state_of(platform, name);
    if (!state.contains("entrance")) continue;
    const auto entrance = Json::parse(state["entrance"].get<std::string>());
    trust.root_pem = crypto::to_pem(from_base64url(entrance["root"].get<std::string>()).value(), "CERTIFICATE");
    if (name == node) trust.server_name = wire::cluster_server(entrance["cluster"].get<std::string>());
  }
  return trust;
}

} // namespace

AuthorityCopy::AuthorityCopy(const Platform& platform) {
  const auto state = platform.state() / "nodes" / "service-manager";
  for (const auto* name : {"service_manager.sqlite", "service_manager.sqlite-wal", "authority.key"}) {
    std::error_code absent;
    std::filesystem::copy_file(state / name, directory_.path() / name, absent);
  }
  database_ = database::Database::open(directory_.path() / "service_manager.sqlite").value();
  log_ = std::make_unique<service_manager::OperationLog>(*database_, clock_);
  authority::teach(*log_);
  store_ = authority::KeyStore::open(*database_, *log_, directory_.path() / "authority.key").value();
}

message_queue::Nkey AuthorityCopy::account_key(const std::string& account) {
  return authority::NatsOperator(store_->nats_root(), *database_, *log_, clock_).account_key(account);
}

std::unique_ptr<message_queue::NatsBus> connect_insider(const Platform& platform, const std::string& node,
                                                        const message_queue::Nkey& account,
                                                        message_queue::Permissions permissions) {
  const auto state = state_of(platform, node);
  auto key = message_queue::Nkey::generate(message_queue::NkeyKind::kUser);
  message_queue::UserClaims claims;
  claims.name = "insider";
  claims.user = key.public_text();
  claims.account = account.public_text();
  claims.permissions = std::move(permissions);
  auto jwt = message_queue::sign_user(account, claims, SystemClock().now()).value();
  message_queue::NatsBusSettings settings;
  settings.port = static_cast<std::uint16_t>(std::stoi(state.value("nats_port", "0")));
  settings.credential = std::make_shared<message_queue::UserCredential>(std::move(key), std::move(jwt));
  settings.tls = trust_in(platform, node);
  settings.inbox_prefix = "_INBOX_insider";
  return message_queue::NatsBus::connect(settings).value();
}

} // namespace tcfdl::test
