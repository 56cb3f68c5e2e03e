// A client's certificate in X.509: what is shown to servers that ask for one.
#pragma once

#include "base/renewal.hpp"
#include "cli/api.hpp"
#include "crypto/tls_certificate.hpp"
#include "wire/signed.hpp"

namespace tcfdl::cli {

/// As the authority gives it now by way of the API; checked against the context's pinned authority and own key.
struct ClientTls {
  crypto::TlsPair chain;
  wire::Signed certificate; ///< what the leaf carries
  Lifetime lifetime;
};

/// Errors of the API, and of `crypto::check_tls_chain` and `wire::verify_client_leaf`.
Result<ClientTls> ask_client_tls(Api& api, const sdk::Context& context);

/// Has the context of that name show this certificate to the API, and no token.
Status show_client_tls(const std::string& name, const sdk::Context& context, const ClientTls& tls);

/// Leaf or root as files have it.
std::string certificate_pem(const crypto::Certificate& certificate);

/// The context of that name, ready for `Api::connect`: a certificate that it shows to the API is renewed when the first
/// half of its life has passed. FAILED_PRECONDITION when it has expired. Errors of sdk::load_context.
Result<sdk::Context> load_api_context(const std::string& name);

} // namespace tcfdl::cli
