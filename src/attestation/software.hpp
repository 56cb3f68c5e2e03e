// Evidence of the software TEE: a report signed by the node's platform key. It protects against nothing that root on
// that machine does, and is an assurance class of its own for that reason.
#pragma once

#include "attestation/kinds.hpp"
#include "attestation/verifier.hpp"
#include "crypto/signature.hpp"

namespace tcfdl::attestation {

class SoftwareVerifier final : public Verifier {
public:
  [[nodiscard]] std::string_view tee_kind() const override { return kSoftware; }
  [[nodiscard]] Findings verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                                const Expectations& expected, UnixSeconds now) const override;
};

/// The attester's side: evidence that `node` runs code of that measurement, which holds the keys in `report_data`.
wire::Evidence make_software_evidence(const crypto::SigningKey& platform_key, BytesView measurement,
                                      BytesView report_data, const std::string& node);

} // namespace tcfdl::attestation
