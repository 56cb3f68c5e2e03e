#include "crypto/pem.hpp"
#include "crypto/x509.hpp"
#include "crypto/x509_native.hpp"

#include <openssl/x509v3.h>

namespace tcfdl::crypto {
namespace {

/// A critical extension of the list or of an entry narrows or moves its scope, which nothing here follows.
Status check_extensions(const X509_CRL* list) {
  for (int at = 0; at < X509_CRL_get_ext_count(list); ++at) {
    if (X509_EXTENSION_get_critical(X509_CRL_get_ext(list, at)) == 0) continue;
    return Error(Code::kInvalidArgument, "the revocation list has a critical extension: it is partial or indirect");
  }
  return {};
}

Status check_extensions(const X509_REVOKED* entry) {
  for (int at = 0; at < X509_REVOKED_get_ext_count(entry); ++at) {
    if (X509_EXTENSION_get_critical(X509_REVOKED_get_ext(entry, at)) == 0) continue;
    return Error(Code::kInvalidArgument, "an entry of the revocation list has a critical extension");
  }
  return {};
}

Result<std::set<Bytes>> serials_of(X509_CRL* list) {
  std::set<Bytes> serials;
  const auto* const entries = X509_CRL_get_REVOKED(list);
  for (int at = 0; entries != nullptr && at < sk_X509_REVOKED_num(entries); ++at) {
    const auto* const entry = sk_X509_REVOKED_value(entries, at);
    TCFDL_TRY(check_extensions(entry));
    TCFDL_ASSIGN(auto serial, x509::serial_of(X509_REVOKED_get0_serialNumber(entry)));
    serials.insert(std::move(serial));
  }
  return serials;
}

} // namespace

Result<Crl> Crl::from_der(BytesView der) {
  const auto* at = der.data();
  Crl list;
  list.native_.reset(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())), X509_CRL_free);
  ERR_clear_error();
  if (!list.native_ || at != der.data() + der.size()) {
    return Error(Code::kInvalidArgument, "the bytes are no X.509 revocation list in DER or PEM");
  }
  list.issuer_ = x509::text_of(X509_CRL_get_issuer(list.native_.get()));
  TCFDL_TRY(check_extensions(list.native_.get()));
  TCFDL_ASSIGN(list.validity_.not_before, x509::seconds_of(X509_CRL_get0_lastUpdate(list.native_.get())));
  TCFDL_ASSIGN(list.validity_.not_after, x509::seconds_of(X509_CRL_get0_nextUpdate(list.native_.get())));
  TCFDL_ASSIGN(list.serials_, serials_of(list.native_.get()));
  return list;
}

Result<Crl> Crl::parse(BytesView bytes) {
  if (bytes.size() > kLargestCrl) {
    return make_error(Code::kInvalidArgument, "a revocation list of {} bytes; at most {} are read", bytes.size(),
                      kLargestCrl);
  }
  if (!is_pem(bytes)) return from_der(bytes);
  TCFDL_ASSIGN(const auto blocks, pem_blocks(bytes, "X509 CRL", 1));
  return from_der(blocks.front());
}

Status Crl::check_issued_by(const Certificate& issuer) const {
  const auto refuse = [&](std::string_view why) {
    return make_error(Code::kUnauthenticated, "revocation list of '{}': {}", issuer_, why);
  };
  if (X509_NAME_cmp(X509_CRL_get_issuer(native_.get()), X509_get_subject_name(issuer.native_.get())) != 0) {
    return refuse(fmt::format("it is not one of '{}'", issuer.subject()));
  }
  if ((X509_get_key_usage(issuer.native_.get()) & KU_CRL_SIGN) == 0) return refuse("its issuer may not sign lists");
  int digest = NID_undef;
  const bool known = OBJ_find_sigid_algs(X509_CRL_get_signature_nid(native_.get()), &digest, nullptr) == 1;
  // The hash of RSA-PSS is among its parameters, which X509_CRL_verify reads.
  const bool pss = X509_CRL_get_signature_nid(native_.get()) == NID_rsassaPss;
  if (!pss && !(known && x509::is_strong(digest))) return refuse("its signature uses no hash of SHA-256 or better");
  EVP_PKEY* const key = X509_get0_pubkey(issuer.native_.get());
  if (key != nullptr && succeeded(X509_CRL_verify(native_.get(), key))) return {};
  ERR_clear_error();
  return refuse("its signature is not one of that issuer");
}

} // namespace tcfdl::crypto
