// What a look at evidence found: what it claims, and every reason why it is refused.
#pragma once

#include "base/result.hpp"

#include <map>
#include <optional>
#include <string>
#include <tcfdl/bytes.hpp>
#include <vector>

namespace tcfdl::attestation {

/// Why evidence is refused: a claim, the value it has, and what is wanted instead.
struct Reason {
  std::string claim;
  std::string value;
  std::string wanted;

  friend bool operator==(const Reason&, const Reason&) = default;
};

/// What evidence says, in the words of all TEE kinds. Members that a kind does not have stay empty.
struct Claims {
  std::string tee_kind;
  Bytes measurement; ///< software: 32 bytes; sgx: MRENCLAVE, 32; tdx: MRTD, 48; snp: MEASUREMENT, 48
  Bytes report_data; ///< 64 bytes
  Bytes signer;      ///< software: the platform key; sgx: MRSIGNER; snp: SHA-384 of the ID key, if there is one
  std::string node;  ///< software only
  bool debug = false;
  std::uint64_t svn = 0; ///< security version of what is measured: sgx ISVSVN, snp GUEST_SVN
  /// sgx and tdx: the worst status of platform, TDX module and quoting enclave, in Intel's words (docs/attestation.md).
  std::string tcb_status;
  std::vector<std::string> advisories;        ///< ids, of all parts, without repetition
  std::map<std::string, std::uint64_t> tcb;   ///< numbers that a policy can set a minimum for
  std::vector<std::string> missing_crls;      ///< issuers whose revocation list was not there to be looked at
  std::optional<bool> sept_ve_disable;        ///< tdx
  std::optional<std::uint64_t> vmpl;          ///< snp
  std::optional<bool> migratable;             ///< snp: the policy allows a migration agent
  std::map<std::string, std::string> details; ///< all else by name; bytes in lower-case hexadecimal
};

/// Collects reasons while evidence is checked. There is no success by default: `accepted` needs that the verifier came
/// to its end, that a policy was held against the claims, and that neither found a reason. One thread at a time.
class Findings {
public:
  /// What the evidence says, whether that is true or not: to be shown, never to be relied on.
  [[nodiscard]] Claims& unverified_claims() noexcept { return claims_; }
  [[nodiscard]] const Claims& unverified_claims() const noexcept { return claims_; }

  void refuse(std::string claim, std::string value, std::string wanted);
  /// Refuses unless `good`; returns `good`.
  bool require(bool good, std::string claim, std::string value, std::string wanted);
  /// Refuses with the error's message as value unless `status` is success; returns whether it is.
  bool require(const Status& status, std::string claim, std::string wanted);

  /// The verifier: every check of authenticity was made.
  void set_verified() noexcept { verified_ = true; }
  /// The appraisal: every rule was held against the claims; `assurance` is the class that they have if accepted.
  void set_appraised(std::string assurance);

  [[nodiscard]] const std::vector<Reason>& reasons() const noexcept { return reasons_; }
  [[nodiscard]] bool verified() const noexcept { return verified_ && reasons_.empty(); }
  [[nodiscard]] bool accepted() const noexcept { return verified_ && appraised_ && reasons_.empty(); }
  /// Empty unless accepted.
  [[nodiscard]] std::string assurance() const { return accepted() ? assurance_ : std::string(); }

  /// The claims, now to be relied on; PERMISSION_DENIED with all reasons unless accepted.
  [[nodiscard]] Result<Claims> outcome() const;

private:
  Claims claims_;
  std::vector<Reason> reasons_;
  std::string assurance_;
  bool verified_ = false;
  bool appraised_ = false;
};

} // namespace tcfdl::attestation
