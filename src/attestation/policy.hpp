// What evidence must show to be admitted, and the assurance class that it then has. docs/formats/attestation_policy.md.
#pragma once

#include "attestation/findings.hpp"
#include "attestation/kinds.hpp"
#include "base/config.hpp"

namespace tcfdl::attestation {

/// Which evidence is admitted. A default-made policy admits nothing.
struct Policy {
  /// TEE kind → assurance class. A kind that is absent is refused.
  std::map<std::string, std::string> tee_kinds;
  /// Of what sent the evidence (a proxy). Empty: any.
  std::vector<Bytes> measurements;
  /// Of gateways. Empty: any.
  std::vector<Bytes> gateway_measurements;
  /// Of who signed what is measured. Empty: any.
  std::vector<Bytes> signers;
  /// Whether hardware evidence in debug mode is admitted: its memory is open to the host.
  bool allow_debug = false;
  /// Whether it may go unchecked that a certificate is revoked.
  bool allow_missing_crl = false;
  /// What Intel may say of a platform. `Revoked` is never among them.
  std::vector<std::string> tcb_statuses = {"UpToDate", "SWHardeningNeeded"};
  /// TEE kind → number of its claims (`svn` or one of `Claims::tcb`) → the least it may be.
  std::map<std::string, std::map<std::string, std::uint64_t>> minimum_tcb;
  /// Detail of the claims → the value it must have.
  std::map<std::string, std::string> required_details;
  bool require_sept_ve_disable = true; ///< tdx
  std::uint64_t highest_vmpl = 3;      ///< snp: 0 to 3
  bool allow_migration = false;        ///< snp

  /// The rules above for one kind in its class and nothing else.
  static Policy of_kind(const std::string& tee_kind);

  /// Reads the keys of docs/formats/attestation_policy.md and finishes the mapping. INVALID_ARGUMENT for an unknown
  /// key, kind, class or status, for the software TEE in any other class than `software`, for a hardware TEE in that
  /// class, and for a policy that admits no kind.
  static Result<Policy> parse(ConfigMapping& config);
  static Result<Policy> parse_text(const std::string& yaml, const std::string& where);

  /// What the policy leaves open, a sentence each, for the log at start.
  [[nodiscard]] std::vector<std::string> warnings() const;
};

/// Holds the policy against what a verifier found; adds a reason for each rule that is broken.
void appraise(const Policy& policy, Findings& findings);

/// The same for a program in the TEE that the claims are of: `measurements` are held against `program`, which is what
/// that TEE measured; empty is refused.
void appraise_program(const Policy& policy, BytesView program, Findings& findings);

/// The same for a TEE that serves a program elsewhere: `measurements` are held against nothing.
void appraise_platform(const Policy& policy, Findings& findings);

/// Whether what is attested as `has` may serve where `wanted` is asked for: the same class, or hardware for software.
bool meets(std::string_view has, std::string_view wanted);

} // namespace tcfdl::attestation
