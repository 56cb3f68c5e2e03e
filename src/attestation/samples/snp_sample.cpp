#include "attestation/report_data.hpp"
#include "attestation/samples/sample.hpp"
#include "attestation/samples/snp_world.hpp"
#include "attestation/software.hpp"

namespace tcfdl::attestation {

EvidenceSample snp_sample() {
  const test::SnpWorld world;
  return {.verifier = std::make_unique<SnpVerifier>(world.verifier()),
          .evidence = world.evidence(),
          .endorsements = world.endorsements(),
          .expected = world.expected(),
          .now = test::kNow};
}

EvidenceSample software_sample() {
  const auto platform = crypto::SigningKey::generate();
  const auto key = platform.public_key().bytes();
  const auto data = report_data("proxy", Bytes(32, 1), {Bytes(65, 4)});
  EvidenceSample sample{.verifier = std::make_unique<SoftwareVerifier>(),
                        .evidence = make_software_evidence(platform, Bytes(32, 5), data, "node"),
                        .endorsements = {},
                        .expected = {.report_data = {}, .node = "node", .platform_key = {}},
                        .now = test::kNow};
  sample.expected.report_data.assign(data.begin(), data.end());
  sample.expected.platform_key.assign(key.begin(), key.end());
  return sample;
}

} // namespace tcfdl::attestation
