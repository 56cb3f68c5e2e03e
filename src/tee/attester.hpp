// Evidence of the TEE that this process runs in: 64 bytes of report data in, evidence for a verifier out.
#pragma once

#include "wire/messages.hpp"

namespace tcfdl::tee {

constexpr std::size_t kReportDataSize = 64;

/// One of a process. Thread-safe; calls take turns where the hardware's interface has one place to write to.
class Attester {
public:
  virtual ~Attester() = default;

  /// Evidence that binds `report_data` (64 bytes). INVALID_ARGUMENT for another size; FAILED_PRECONDITION when the
  /// hardware's interface is missing or switched off, saying what to do; ABORTED when others kept changing the request.
  [[nodiscard]] virtual Result<wire::Evidence> attest(BytesView report_data) = 0;

  /// Where evidence comes from and what it protects against, for the log at start.
  [[nodiscard]] virtual std::string description() const = 0;
};

} // namespace tcfdl::tee
