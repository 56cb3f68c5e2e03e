// Evidence in, claims out: the interface that every TEE kind implements.
#pragma once

#include "base/clock.hpp"
#include "wire/messages.hpp"

namespace tcfdl::attestation {

/// What a TEE kind's evidence states, once its authenticity is checked. Whether that is good enough is a policy's to
/// say.
struct Claims {
  std::string tee_kind;
  Bytes measurement;
  Bytes report_data; ///< 64 bytes
  Bytes signer;      ///< software: the platform key; hardware: who signed the enclave
  std::string node;  ///< software only
  bool debug = false;
};

/// What the verifier must find in the evidence.
struct Expectations {
  Bytes report_data;  ///< 64 bytes, as `report_data` makes them
  std::string node;   ///< the node that sent the evidence
  Bytes platform_key; ///< software: the key known for the node or, when it enrols, the one it enrols
};

/// Implementations are immutable and thread-safe.
class Verifier {
public:
  virtual ~Verifier() = default;

  /// The `tee_kind` of the evidence that it reads.
  [[nodiscard]] virtual std::string_view tee_kind() const = 0;

  /// INVALID_ARGUMENT for evidence of another kind or form, UNAUTHENTICATED when a signature does not fit,
  /// PERMISSION_DENIED when it is evidence of something else than expected; each names the claim.
  [[nodiscard]] virtual Result<Claims> verify(const wire::Evidence& evidence, const Expectations& expected,
                                              UnixSeconds now) const = 0;
};

} // namespace tcfdl::attestation
