// SGX quotes of an enclave that Gramine runs (Gramine documentation, "Attestation and Secret Provisioning").
#pragma once

#include "tee/attester.hpp"

#include <filesystem>
#include <mutex>

namespace tcfdl::tee {

constexpr std::string_view kGramineRoot = "/dev/attestation";

/// Writes `user_report_data` below `root` and reads `quote`, at most 8192 bytes.
class GramineAttester final : public Attester {
public:
  /// FAILED_PRECONDITION when there is no Gramine or it attests otherwise than by DCAP.
  static Result<std::unique_ptr<GramineAttester>> open(std::filesystem::path root);

  [[nodiscard]] Result<wire::Evidence> attest(BytesView report_data) override;
  [[nodiscard]] std::string description() const override;

private:
  explicit GramineAttester(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path root_;
  std::mutex turn_; // the report data are one place for the whole enclave
};

} // namespace tcfdl::tee
