// `tcfdl context tls`: a client's certificate as programs that speak HTTPS read it, this one included.
#include "base/file.hpp"
#include "base/log.hpp"
#include "cli/client_tls.hpp"
#include "cli/command.hpp"
#include "cli/signals.hpp"
#include "sdk/identity.hpp"
#include "wire/server_names.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

using std::chrono::hours;

struct TlsOptions {
  std::filesystem::path directory;
  bool watch = false;
  bool for_api = false;
};

std::string example(const sdk::Context& context, const std::filesystem::path& directory) {
  const auto gateway = context.gateway_url.starts_with("https://") ? context.gateway_url.substr(8) : "HOST:PORT";
  const auto name = wire::gateway_server(context.cluster);
  return fmt::format("curl --cacert {0}/root.pem --cert {0}/cert.pem --key {0}/key.pem --connect-to {1}:443:{2} "
                     "--data-binary @FILE https://{1}/v1/functions/NAME/invoke",
                     directory.string(), name, gateway);
}

/// Each file is replaced as a whole. The key stays the same, so that it fits the certificate before and the one after.
Status write_files(const sdk::Context& context, const ClientTls& tls, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto identity, sdk::identity_of(context));
  TCFDL_TRY(make_private_directory(directory));
  const auto key = crypto::private_key_pem(identity.signing);
  TCFDL_TRY(write_file(directory / "key.pem", key.span(), kPrivateFile));
  TCFDL_TRY(write_file(directory / "cert.pem", as_bytes(certificate_pem(tls.chain.leaf)), kPublicFile));
  return write_file(directory / "root.pem", as_bytes(certificate_pem(tls.chain.root)), kPublicFile);
}

/// Asks for the certificate of now, keeps it in the context and writes the files; until when they are good.
Result<Lifetime> renew_files(const std::string& name, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto context, load_api_context(name));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto tls, ask_client_tls(api, context));
  if (context.api_token.empty() && !context.tls_certificate.empty()) {
    TCFDL_TRY(show_client_tls(name, context, tls));
  } else {
    TCFDL_TRY(sdk::update_certificate(name, context, wire::serialize(tls.certificate)));
  }
  TCFDL_TRY(write_files(context, tls, directory));
  return tls.lifetime;
}

Status print_files(const Session& session, const std::filesystem::path& directory) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(session.context));
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

/// Renews the files at half of their life until SIGINT or SIGTERM.
Status watch(const Session& session, const std::filesystem::path& directory) {
  Signals signals;
  TCFDL_ASSIGN(const auto first, renew_files(session.context, directory));
  TCFDL_TRY(print_files(session, directory));
  Guarded<Lifetime> lifetime(first);
  const SystemClock clock;
  const Renewal renewal(
      {.what = "the certificate in " + directory.string()}, clock,
      [&] { return lifetime.with([](const auto& now) { return now; }); },
      [&]() -> Status {
        TCFDL_ASSIGN(const auto next, renew_files(session.context, directory));
        lifetime.with([&](auto& now) { now = next; });
        spdlog::info("{} is renewed", (directory / "cert.pem").string());
        return {};
      });
  while (!signals.wait(hours(1))) {
  }
  return {};
}

/// The context is changed once the API has answered to the certificate.
Status show_to_api(const Session& session) {
  TCFDL_ASSIGN(auto context, load_api_context(session.context));
  if (!context.api_url.starts_with("https://")) {
    return make_error(Code::kFailedPrecondition,
                      "certificates are shown in TLS alone, and the API of context '{}' is {}; set api_tls in its "
                      "master's configuration",
                      context.name, context.api_url);
  }
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto tls, ask_client_tls(api, context));
  auto shown = context;
  shown.api_token.clear();
  shown.tls_certificate = certificate_pem(tls.chain.leaf);
  TCFDL_ASSIGN(auto by_certificate, Api::connect(shown));
  TCFDL_TRY(by_certificate.get("/v1/functions"));
  TCFDL_TRY(show_client_tls(session.context, context, tls));
  if (session.json) {
    print_json({{"context", context.name}, {"client", context.client}});
  } else {
    print(fmt::format(
        "context {} shows the certificate of {} to the API; what client:{} may there, says `tcfdl access`\n",
        context.name, context.client, context.client));
  }
  return {};
}

Status run_tls(const Session& session, const TlsOptions& options) {
  if (options.for_api) TCFDL_TRY(show_to_api(session));
  if (options.directory.empty()) return {};
  const auto directory = std::filesystem::absolute(options.directory);
  if (options.watch) return watch(session, directory);
  TCFDL_TRY(renew_files(session.context, directory));
  return print_files(session, directory);
}

} // namespace

void add_context_tls_command(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand(
      "tls",
      "show the client's certificate to servers: write it in PEM for curl and its like, or have `tcfdl` show it");
  auto options = std::make_shared<TlsOptions>();
  auto* out = command->add_option("--out", options->directory,
                                  "directory for cert.pem, key.pem (mode 0600) and root.pem; write them again in time");
  out->type_name("DIR");
  command->add_flag("--watch", options->watch, "stay, and write them anew at half of their life")->needs(out);
  auto* for_api = command->add_flag("--for-api", options->for_api,
                                    "show it to the API from now on, in place of the context's token");
  command->callback([out, for_api, act = session.run([&session, options] { return run_tls(session, *options); })] {
    if (out->count() == 0 && for_api->count() == 0) throw CLI::RequiredError("--out or --for-api");
    act();
  });
}

} // namespace tcfdl::cli
