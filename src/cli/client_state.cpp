#include "cli/client_state.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"
#include "cli/enrolment.hpp"
#include "http/json.hpp"

namespace tcfdl::cli {
namespace {

constexpr std::int64_t kRenewBefore = 24L * 3600; // seconds

/// The identity that is kept; NOT_FOUND before enrolment.
Result<sdk::Context> read_client(const std::filesystem::path& path) {
  TCFDL_ASSIGN(const auto text, read_file(path, std::size_t{1} << 20U));
  TCFDL_ASSIGN(auto object, http::JsonObject::parse(text, path.string()));
  sdk::Context client;
  client.client = object.text("client");
  client.signing_key = object.text("signing_key");
  client.seal_key = object.text("seal_key");
  client.certificate = object.text("certificate");
  client.authority_key = object.text("authority_key");
  TCFDL_TRY(object.finish());
  return client;
}

Status write_client(const std::filesystem::path& path, const sdk::Context& client) {
  const nlohmann::json document{{"client", client.client},
                                {"signing_key", client.signing_key},
                                {"seal_key", client.seal_key},
                                {"certificate", client.certificate},
                                {"authority_key", client.authority_key}};
  return write_file(path, as_bytes(document.dump(2) + "\n"), kPrivateFile);
}

/// The keys are kept before they are certified: a name that was enrolled is bound to them.
Result<ClientKeys> keep_keys(const std::filesystem::path& path) {
  const auto text = read_file(path, std::size_t{64} << 10U);
  if (!text && text.error().code() != Code::kNotFound) return text.error();
  sdk::Context kept;
  if (text) {
    TCFDL_ASSIGN(auto object, http::JsonObject::parse(*text, path.string()));
    kept.signing_key = object.text("signing_key");
    kept.seal_key = object.text("seal_key");
    TCFDL_TRY(object.finish());
    return ClientKeys::of(kept);
  }
  auto keys = ClientKeys::generate();
  keys.write_to(kept);
  const nlohmann::json document{{"signing_key", kept.signing_key}, {"seal_key", kept.seal_key}};
  TCFDL_TRY(write_file(path, as_bytes(document.dump(2) + "\n"), kPrivateFile));
  return keys;
}

Result<sdk::Context> enrol(const Layout& layout, const sdk::Context& place) {
  TCFDL_ASSIGN(const auto keys, keep_keys(layout.client_keys()));
  TCFDL_ASSIGN(auto api, Api::connect(place));
  TCFDL_ASSIGN(const auto text, create_token(api, "client", std::chrono::seconds(600)));
  TCFDL_ASSIGN(const auto token, wire::parse_enrolment_token(text));
  TCFDL_ASSIGN(auto client, enrol_client(api, token, std::string(kLocalClient), keys));
  TCFDL_TRY(write_client(layout.client(place.name), client));
  return client;
}

} // namespace

Result<sdk::Context> place_of(const std::string& cluster, const nlohmann::json& ready) {
  TCFDL_ASSIGN(auto object, http::JsonObject::of(ready, "the ready file of " + cluster));
  sdk::Context place;
  place.name = cluster;
  place.cluster = object.text("cluster");
  place.api_url = object.text("api_url");
  place.api_token = object.text("api_token");
  place.gateway_url = object.text("gateway_url");
  place.gateway_token = object.text("gateway_token");
  place.tasks_address = object.text("tasks_address");
  place.tasks_token = object.text("tasks_token");
  place.tls_root = object.text_or("tls_root", "");
  place.tls_server_name = object.text_or("tls_server_name", "");
  for (const auto* other : {"pid", "node", "nats_port"}) (void)object.value(other);
  TCFDL_TRY(object.finish());
  return place;
}

Result<sdk::Context> admit(const Layout& layout, const std::string& cluster, const nlohmann::json& ready) {
  TCFDL_ASSIGN(auto context, place_of(cluster, ready));
  auto client = read_client(layout.client(cluster));
  if (!client && client.error().code() != Code::kNotFound) return client;
  if (!client || certificate_expiry(*client) < SystemClock().now() + kRenewBefore) client = enrol(layout, context);
  if (!client) return client;
  context.client = client->client;
  context.signing_key = client->signing_key;
  context.seal_key = client->seal_key;
  context.certificate = client->certificate;
  context.authority_key = client->authority_key;
  return context;
}

Status remove_contexts(const Layout& layout) {
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(layout.root() / "clients", failure)) {
    const auto kept = read_client(entry.path());
    const auto context = sdk::load_context(entry.path().stem().string());
    if (kept && context && context->authority_key == kept->authority_key) TCFDL_TRY(sdk::remove_context(context->name));
  }
  return {};
}

} // namespace tcfdl::cli
