// Attestation results (RFC 9334): what an authority states of an attested key, as an EAT (RFC 9711) in a JWT.
// docs/formats/attestation_result.md.
#pragma once

#include "attestation/findings.hpp"
#include "attestation/jwks.hpp"
#include "base/clock.hpp"
#include "wire/proto/trust.pb.h"

namespace tcfdl::attestation {

/// How long a result holds, seconds: it tells of policy and collateral as they are, and is asked for anew.
constexpr std::int64_t kResultLifetime = 3600;
/// Longer ones are refused, seconds.
constexpr std::int64_t kLongestResult = 24L * 3600;

/// Members that do not apply are empty.
struct AttestationResult {
  std::string issuer;  ///< thumbprint of the authority's key; of `sign_result` and `verify_result`
  std::string subject; ///< CLUSTER/SUBJECT of the certificate
  UnixSeconds issued = 0;
  UnixSeconds expires = 0;
  Bytes nonce;      ///< of who asked for it, 8 to 64 bytes
  Bytes key;        ///< 65 bytes: the key whose holder is attested; to be proved by its use
  std::string role; ///< proxy, gateway or instance
  std::string cluster;
  std::string node;
  std::string function;
  Bytes measurement;     ///< of the subject; of instances and gateways, of their program
  std::string assurance; ///< class
  std::uint64_t policy_version = 0;
  Bytes certificate_hash; ///< SHA-256 of the statement of the certificate that it belongs to
  Bytes evidence_hash;    ///< SHA-256 of the TEE's evidence
  // Of the TEE, by its evidence.
  std::string tee_kind;
  Bytes tee_measurement;
  Bytes signer;
  std::uint64_t svn = 0;
  std::string tcb_status;
  std::vector<std::string> advisories;
  bool debug = false;

  friend bool operator==(const AttestationResult&, const AttestationResult&) = default;
};

/// The JWT, signed with ES256; its `kid` is the thumbprint of the signer's key.
std::string sign_result(const crypto::SigningKey& authority, const AttestationResult& result);

/// What a token of one of these keys says, if it holds at `now`; else nullopt, and `findings` have each reason. The
/// algorithm is ES256 whatever the header says, and the key is never taken from the token.
std::optional<AttestationResult> verify_result(const Jwks& keys, std::string_view token, UnixSeconds now,
                                               Findings& findings);

/// Adds a reason unless the result is of this certificate, so that who proves its key is whom the result speaks of. The
/// certificate itself is the caller's to verify.
void require_certificate(const AttestationResult& result, const wire::Signed& certificate, Findings& findings);

} // namespace tcfdl::attestation
