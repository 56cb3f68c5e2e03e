#include "attestation/intel.hpp"
#include "attestation/samples/intel_world.hpp"
#include "attestation/samples/sample.hpp"

namespace tcfdl::attestation {
namespace {

EvidenceSample sample_of(const test::IntelWorld& world, std::string_view kind) {
  return {.verifier = std::make_unique<IntelVerifier>(kind, test::IntelKeys::get().root.point()),
          .evidence = world.evidence(),
          .endorsements = world.endorsements(),
          .expected = test::IntelWorld::expected(),
          .now = world.now};
}

} // namespace

EvidenceSample sgx_sample() { return sample_of(test::IntelWorld(3), kSgx); }
EvidenceSample tdx_sample() { return sample_of(test::IntelWorld(4), kTdx); }

} // namespace tcfdl::attestation
