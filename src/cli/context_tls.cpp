// `tcfdl context tls`: a client's certificate as programs that speak HTTPS read it.
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "http/json.hpp"
#include "sdk/identity.hpp"
#include "wire/client_leaf.hpp"
#include "wire/server_names.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

constexpr const char* kPemLabel = "CERTIFICATE";

/// What the authority says of a client now.
struct CertificateOfNow {
  wire::Signed certificate;
  std::vector<Bytes> tls_chain; ///< leaf and root, X.509 in DER
};

Result<CertificateOfNow> ask_certificate(Api& api, const sdk::Context& context) {
  TCFDL_ASSIGN(auto answer, api.post("/v1/certificate", {{"certificate", context.certificate}}));
  TCFDL_ASSIGN(auto object, http::JsonObject::of(std::move(answer), "answer"));
  const auto certificate = object.text("certificate");
  const auto chain = object.texts("tls_chain");
  TCFDL_TRY(object.finish());
  CertificateOfNow now;
  TCFDL_ASSIGN(const auto bytes, from_base64url(certificate));
  TCFDL_ASSIGN(now.certificate, wire::parse<wire::Signed>(bytes));
  for (const auto& text : chain) {
    TCFDL_ASSIGN(auto der, from_base64url(text));
    now.tls_chain.push_back(std::move(der));
  }
  return now;
}

/// Root of the pinned authority, leaf of that root, of this client's key, with its certificate inside; as servers do.
Result<crypto::TlsPair> check(const CertificateOfNow& now, const sdk::Identity& identity, const sdk::Context& context) {
  const auto time = SystemClock().now();
  TCFDL_ASSIGN(auto checked, crypto::check_tls_chain(now.tls_chain, crypto::sha256(identity.authority.bytes()),
                                                     identity.signing.public_key(),
                                                     wire::client_name(context.client, context.cluster), time));
  const wire::Revocations none(identity.authority);
  TCFDL_TRY(wire::verify_client_leaf(checked.leaf.der(), {identity.authority, context.cluster, none, time}));
  TCFDL_TRY(identity.certificate.adopt(now.certificate, identity.authority, time));
  return checked;
}

std::string example(const sdk::Context& context, const std::filesystem::path& directory) {
  const auto gateway = context.gateway_url.starts_with("https://") ? context.gateway_url.substr(8) : "HOST:PORT";
  const auto name = wire::gateway_server(context.cluster);
  return fmt::format("curl --cacert {0}/root.pem --cert {0}/cert.pem --key {0}/key.pem --connect-to {1}:443:{2} "
                     "--data-binary @FILE https://{1}/v1/functions/NAME/invoke",
                     directory.string(), name, gateway);
}

Status write_tls(const Session& session, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(session.context));
  TCFDL_ASSIGN(const auto identity, sdk::identity_of(context));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto now, ask_certificate(api, context));
  TCFDL_ASSIGN(const auto checked, check(now, identity, context));
  TCFDL_TRY(sdk::update_certificate(session.context, context, wire::serialize(now.certificate)));
  TCFDL_TRY(make_private_directory(directory));
  const auto key = crypto::private_key_pem(identity.signing);
  TCFDL_TRY(write_file(directory / "key.pem", key.span(), kPrivateFile));
  TCFDL_TRY(write_file(directory / "cert.pem", as_bytes(crypto::to_pem(checked.leaf.der(), kPemLabel)), kPublicFile));
  TCFDL_TRY(write_file(directory / "root.pem", as_bytes(crypto::to_pem(checked.root.der(), kPemLabel)), kPublicFile));
  const auto command = example(context, directory);
  if (session.json) {
    print_json({{"directory", directory.string()},
                {"client", context.client},
                {"gateway_server_name", wire::gateway_server(context.cluster)},
                {"example", command}});
  } else {
    print(command + "\n");
  }
  return {};
}

} // namespace

void add_context_tls_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand(
      "tls", "write the client's certificate, key and root in PEM, for curl and its like; again before it expires");
  auto directory = std::make_shared<std::string>();
  command->add_option("--out", *directory, "directory for cert.pem, key.pem (mode 0600) and root.pem")
      ->required()
      ->type_name("DIR");
  command->callback(
      session.run([&session, directory] { return write_tls(session, std::filesystem::absolute(*directory)); }));
}

} // namespace tcfdl::cli
