// What Intel says of a platform, from files: checked for form, signatures, chain and dates.
#pragma once

#include "attestation/findings.hpp"
#include "attestation/intel_json.hpp"
#include "crypto/x509.hpp"

namespace tcfdl::attestation {

using CollateralFiles = std::map<std::string, Bytes>;

/// The public key of the Intel SGX Root CA (two certificates of one serial have it), 0x04 ‖ x ‖ y.
BytesView intel_root_key() noexcept;

/// TCB info from `tcb_info.json`, signed by the leaf of `tcb_info_issuer_chain.pem` or `tcb_signing_chain.pem`. Refuses
/// unless the signature is of a chain to `root_key`, that all is in date, and that the lists revoke none of it.
std::optional<TcbInfo> check_tcb_info(const CollateralFiles& files, BytesView root_key, UnixSeconds now,
                                      Findings& findings);

/// Likewise `qe_identity.json` and `qe_identity_issuer_chain.pem` or `tcb_signing_chain.pem`.
std::optional<QeIdentity> check_qe_identity(const CollateralFiles& files, BytesView root_key, UnixSeconds now,
                                            Findings& findings);

/// Refuses if `certificate`, issued by `issuer`, is in the list of that file, and if the list is not one of that
/// issuer, not in date or malformed. A missing file becomes a missing list of the claims.
void check_revocation(const CollateralFiles& files, const char* file, const crypto::Certificate& certificate,
                      const crypto::Certificate& issuer, UnixSeconds now, Findings& findings);

} // namespace tcfdl::attestation
