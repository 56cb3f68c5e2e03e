// Policies of attestation: what parses admits some kind, and never the status Revoked.
#include "attestation/policy_document.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const auto document = attestation::PolicyDocument::parse_text(std::string(as_text({data, size})), "policy");
  if (!document) return 0;
  if (!document->everyone && document->roles.empty()) std::abort();
  for (const auto role : attestation::kPolicyRoles) {
    const auto policy = document->for_role(role);
    if (!policy) continue;
    const auto& statuses = policy->tcb_statuses;
    if (policy->tee_kinds.empty() || std::ranges::find(statuses, "Revoked") != statuses.end()) std::abort();
  }
  for (const auto& rules : document->functions) {
    if (document->for_function(rules.name) == nullptr) std::abort();
  }
  (void)document->warnings();
  return 0;
}
