// Evidence of SEV-SNP guests: reports of version 2 to 5, signed by a VCEK or a VLEK, on Milan, Genoa and Turin.
#pragma once

#include "attestation/kinds.hpp"
#include "attestation/snp_roots.hpp"
#include "attestation/verifier.hpp"

namespace tcfdl::attestation {

/// Reads a report (1184 bytes) in `Evidence.report` and certificates and lists of revocations in
/// `Evidence.certificates` and `Endorsements.certificates`. Claims: `tcb` has the reported TCB as `bootloader`, `tee`,
/// `snp`, `microcode` and, on Turin, `fmc`; `svn` is GUEST_SVN; everything else of the report is in `details`.
class SnpVerifier final : public Verifier {
public:
  explicit SnpVerifier(std::vector<SnpRoot> roots) : roots_(std::move(roots)) {}

  [[nodiscard]] std::string_view tee_kind() const override { return kSnp; }
  [[nodiscard]] Findings verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                                const Expectations& expected, UnixSeconds now) const override;

private:
  std::vector<SnpRoot> roots_;
};

} // namespace tcfdl::attestation
