// What runs in an attested TEE: instances of functions, and gateways.
#pragma once

#include "attestation/judgement.hpp"

namespace tcfdl::service_manager {

/// Whether the policy admits the program in the TEE of these findings. PERMISSION_DENIED has all reasons.
inline Status admit_program(const attestation::PolicyDocument& policy, wire::Role role, const std::string& function,
                            BytesView measurement, attestation::Findings findings) {
  if (role == wire::ROLE_GATEWAY) {
    attestation::judge_gateway(policy, measurement, findings);
  } else {
    attestation::judge_function(policy, function, measurement, findings);
  }
  const auto claims = findings.outcome();
  if (claims) return {};
  return claims.error().within(role == wire::ROLE_GATEWAY ? "the gateway" : function);
}

} // namespace tcfdl::service_manager
