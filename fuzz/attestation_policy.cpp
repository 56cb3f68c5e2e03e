// Policies of attestation: what parses admits some kind, and never the status Revoked.
#include "attestation/policy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const auto policy = attestation::Policy::parse_text(std::string(as_text({data, size})), "policy");
  if (!policy) return 0;
  const auto& statuses = policy->tcb_statuses;
  if (policy->tee_kinds.empty() || std::ranges::find(statuses, "Revoked") != statuses.end()) std::abort();
  (void)policy->warnings();
  return 0;
}
