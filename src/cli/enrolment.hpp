// Makes a client known to a cluster: keys made here, a certificate from the authority that the token names.
#pragma once

#include "cli/api.hpp"
#include "crypto/hpke.hpp"
#include "crypto/signature.hpp"
#include "wire/enrolment_token.hpp"

namespace tcfdl::cli {

/// What a client signs with and opens what is sealed to it. Never leaves this machine.
struct ClientKeys {
  crypto::SigningKey signing;
  crypto::HpkePrivateKey sealing;

  static ClientKeys generate();
  /// From the fields of a context.
  static Result<ClientKeys> of(const sdk::Context& context);
  void write_to(sdk::Context& context) const;
};

/// Who the client is after enrolment; the rest of the context is where the cluster is. Fields as in sdk::Context.
/// UNAUTHENTICATED when the token is refused, another authority answered, or its certificate is not for these keys.
Result<sdk::Context> enrol_client(Api& api, const wire::EnrolmentToken& token, const std::string& name,
                                  const ClientKeys& keys);

/// How to know the cluster's servers, from a client's token, into the fields of a context; nothing for a token that
/// does not say. UNAUTHENTICATED for a root that is not of the authority's key, INVALID_ARGUMENT for what is none.
Status read_trust(const wire::EnrolmentToken& token, sdk::Context& context);

/// Asks a master for a token. `role` is worker, client or master.
Result<std::string> create_token(Api& api, const std::string& role, std::chrono::seconds lifetime);

/// When the certificate of a context expires, Unix seconds; 0 where it has none.
std::int64_t certificate_expiry(const sdk::Context& context);

} // namespace tcfdl::cli
