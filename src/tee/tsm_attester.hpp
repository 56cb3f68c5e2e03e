// Quotes of TDX guests and reports of SEV-SNP guests by Linux's common interface (kernel documentation,
// ABI/testing/configfs-tsm; Linux 6.7 and later).
#pragma once

#include "tee/attester.hpp"

#include <filesystem>

namespace tcfdl::tee {

constexpr std::string_view kTsmRoot = "/sys/kernel/config/tsm/report";

struct TsmSettings {
  std::filesystem::path root = kTsmRoot;
  /// snp: the VMPL that the report shall state; nullopt: the kernel's own.
  std::optional<unsigned> privilege_level;
  /// What is waited for a file or a removal that an emulation delays; the kernel delays neither.
  std::chrono::milliseconds patience{1000};
};

/// Makes a directory below the root for each request and removes it, whatever happens.
class TsmAttester final : public Attester {
public:
  /// FAILED_PRECONDITION without the root.
  static Result<std::unique_ptr<TsmAttester>> open(TsmSettings settings);

  [[nodiscard]] Result<wire::Evidence> attest(BytesView report_data) override;
  [[nodiscard]] std::string description() const override;

private:
  explicit TsmAttester(TsmSettings settings) : settings_(std::move(settings)) {}
  Result<wire::Evidence> attest_once(BytesView report_data) const;

  const TsmSettings settings_;
};

} // namespace tcfdl::tee
