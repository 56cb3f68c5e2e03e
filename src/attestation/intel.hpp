// Verifiers of Intel quotes: SGX (version 3) and TDX (versions 4 and 5), offline, with the root pinned by its key.
#pragma once

#include "attestation/kinds.hpp"
#include "attestation/verifier.hpp"

namespace tcfdl::attestation {

/// Reads `Evidence.report` as a quote and `Endorsements.collateral` as Intel's files. The claims' numbers are
/// `pcesvn`, `qe_svn` and `tcb_evaluation_data_number`. docs/attestation.md lists the checks.
class IntelVerifier final : public Verifier {
public:
  /// Of quotes of `tee_kind`, kSgx or kTdx, under Intel's root, or under another point (0x04 ‖ x ‖ y).
  explicit IntelVerifier(std::string_view tee_kind);
  IntelVerifier(std::string_view tee_kind, Bytes root_key) : tee_kind_(tee_kind), root_key_(std::move(root_key)) {}

  [[nodiscard]] std::string_view tee_kind() const override { return tee_kind_; }
  [[nodiscard]] Findings verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                                const Expectations& expected, UnixSeconds now) const override;

private:
  const std::string_view tee_kind_;
  const Bytes root_key_;
};

} // namespace tcfdl::attestation
