#include "node/entrance.hpp"

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "collaboration/subjects.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"

#include <nlohmann/json.hpp>

namespace tcfdl::node {
namespace {

/// How to know the server, which is what makes the first connection a safe one.
Status read_server(NodeEntrance& entrance, const std::string& root) {
  auto bytes = from_base64url(root);
  if (!bytes || !crypto::Certificate::parse(*bytes)) {
    return Error(Code::kInvalidArgument, "the enrolment token's 'root' is no certificate");
  }
  if (!crypto::is_dns_name(entrance.server_name)) {
    return Error(Code::kInvalidArgument, "the enrolment token's 'server_name' is no name of a server");
  }
  entrance.root = *std::move(bytes);
  return {};
}

} // namespace

Bytes NodeEntrance::to_json() const {
  const nlohmann::json json{{"cluster", cluster},
                            {"host", host},
                            {"port", port},
                            {"seed", seed},
                            {"jwt", jwt},
                            {"tasks", tasks},
                            {"tasks_token", tasks_token},
                            {"root", to_base64url(root)},
                            {"server_name", server_name}};
  return to_bytes(json.dump());
}

Result<NodeEntrance> NodeEntrance::from_json(BytesView text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return Error(Code::kInvalidArgument, "the enrolment token does not say where to connect");
  NodeEntrance entrance;
  std::string root;
  for (const auto& [key, member] : {std::pair{"cluster", &entrance.cluster},
                                    {"host", &entrance.host},
                                    {"seed", &entrance.seed},
                                    {"jwt", &entrance.jwt},
                                    {"tasks", &entrance.tasks},
                                    {"tasks_token", &entrance.tasks_token},
                                    {"root", &root},
                                    {"server_name", &entrance.server_name}}) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
      return make_error(Code::kInvalidArgument, "the enrolment token lacks '{}'", key);
    }
    *member = found->get<std::string>();
  }
  const auto port = json.find("port");
  if (port == json.end() || !port->is_number_unsigned() || *port > 65535U || *port == 0U) {
    return Error(Code::kInvalidArgument, "the enrolment token's 'port' is no port");
  }
  entrance.port = port->get<std::uint16_t>();
  TCFDL_TRY(check_label(entrance.cluster, "cluster"));
  TCFDL_TRY(read_server(entrance, root));
  return entrance;
}

Status NodeEntrance::check_root(BytesView authority_key_hash) const {
  const auto checked = crypto::check_tls_root(root, authority_key_hash, SystemClock().now());
  if (checked) return {};
  return checked.error().within("the root certificate that the enrolment token names");
}

message_queue::NatsBusSettings
NodeEntrance::bus(const std::string& user, std::shared_ptr<const message_queue::UserCredential> credential) const {
  message_queue::NatsBusSettings settings;
  settings.host = host;
  settings.port = port;
  settings.tls = message_queue::TlsTrust{crypto::to_pem(root, "CERTIFICATE"), server_name};
  settings.credential = std::move(credential);
  settings.name = user;
  settings.inbox_prefix = collaboration::inbox_prefix(user);
  settings.retry_first_connect = true;
  return settings;
}

Result<message_queue::NatsBusSettings> NodeEntrance::enrolling_bus() const {
  TCFDL_ASSIGN(auto key, message_queue::Nkey::parse_seed(seed, message_queue::NkeyKind::kUser));
  const auto user = key.public_text();
  return bus(user, std::make_shared<message_queue::UserCredential>(std::move(key), jwt));
}

} // namespace tcfdl::node
