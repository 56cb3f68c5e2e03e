// Evidence, a policy document and what the makers of TEEs say, in; a verdict, out: what admission and dry runs share.
#pragma once

#include "attestation/policy_document.hpp"
#include "attestation/verifiers.hpp"

namespace tcfdl::attestation {

/// What one verdict is about; members outlive the call.
struct Question {
  const wire::Evidence& evidence;
  /// Each is tried; the first that the evidence is accepted with counts. None: as one without files.
  const std::vector<Endorsements>& endorsements;
  const Expectations& expected;
  UnixSeconds now = 0;
  std::string role; ///< of kPolicyRoles: whose rules are held against the evidence
};

/// The findings of the verifier of that kind under the rules of the role. A kind without a verifier and a role that the
/// document does not name are refused. Where no set of endorsements leads to acceptance, the findings are those with
/// the fewest reasons.
Findings judge(const Verifiers& verifiers, const PolicyDocument& document, const Question& question);

/// Adds the rules for gateways, of which `program` is one.
void judge_gateway(const PolicyDocument& document, BytesView program, Findings& findings);

/// Adds the rules for a function, if there are any. `program`: what processes it; nullopt where the TEE serves callers
/// of the function only.
void judge_function(const PolicyDocument& document, const std::string& function, std::optional<BytesView> program,
                    Findings& findings);

/// Where endorsements lie.
struct EndorsementFiles {
  std::vector<std::string> collateral; ///< directories of Intel's files, one a platform (docs/attestation.md)
  std::string certificates;            ///< directory of AMD's certificates and lists; empty: none
};

/// Reads all of them, at least one set: AMD's files are in each. Errors of `read_collateral`.
Result<std::vector<Endorsements>> read_endorsements(const EndorsementFiles& files);

} // namespace tcfdl::attestation
