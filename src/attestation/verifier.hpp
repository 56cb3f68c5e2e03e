// Evidence in, findings out: the interface that every TEE kind implements.
#pragma once

#include "attestation/findings.hpp"
#include "base/clock.hpp"
#include "wire/messages.hpp"

#include <memory>

namespace tcfdl::attestation {

/// What the makers of TEEs say of their platforms, as files. They are signed; where they come from does not matter.
struct Endorsements {
  /// Intel: content by name, as docs/attestation.md lists them (`tcb_info.json`, `pck_crl.der`, …).
  std::map<std::string, Bytes> collateral;
  /// AMD: VCEK or VLEK, CA bundles, lists of revocations, GHCB certificate tables; in any order, PEM or DER.
  std::vector<Bytes> certificates;
};

/// What the evidence must be bound to.
struct Expectations {
  Bytes report_data;  ///< 64 bytes, as `report_data` makes them
  std::string node;   ///< software: the node that sent the evidence
  Bytes platform_key; ///< software: the key known for the node or, when it enrols, the one it enrols
  /// What is empty above is not compared instead of refused: for looking at evidence, never for admitting somebody.
  bool unbound = false;
};

/// Implementations are immutable and thread-safe.
class Verifier {
public:
  virtual ~Verifier() = default;

  /// The `tee_kind` of the evidence that it reads.
  [[nodiscard]] virtual std::string_view tee_kind() const = 0;

  /// Checks form, signatures, chains, dates at `now`, revocation and the binding. Findings are `verified` if all of
  /// that is good; what the claims are worth is for `appraise` to say. Never trusts anything that is not signed under
  /// a pinned root (software: by the platform key).
  [[nodiscard]] virtual Findings verify(const wire::Evidence& evidence, const Endorsements& endorsements,
                                        const Expectations& expected, UnixSeconds now) const = 0;
};

/// One verifier a TEE kind.
using Verifiers = std::vector<std::unique_ptr<Verifier>>;

/// Refuses unless the report data are the 64 expected bytes. For verifiers.
void check_report_data(Findings& findings, BytesView report_data, const Expectations& expected);

} // namespace tcfdl::attestation
