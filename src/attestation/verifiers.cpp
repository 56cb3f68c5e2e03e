#include "attestation/verifiers.hpp"

#include "attestation/intel.hpp"
#include "attestation/snp_verifier.hpp"
#include "attestation/software.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/secret.hpp"

#include <algorithm>

namespace tcfdl::attestation {

Verifiers all_verifiers() {
  Verifiers verifiers;
  verifiers.push_back(std::make_unique<SoftwareVerifier>());
  verifiers.push_back(std::make_unique<IntelVerifier>(kSgx));
  verifiers.push_back(std::make_unique<IntelVerifier>(kTdx));
  // Without roots everything is refused.
  verifiers.push_back(std::make_unique<SnpVerifier>(amd_roots().value_or(std::vector<SnpRoot>())));
  return verifiers;
}

const Verifier* find_verifier(const Verifiers& verifiers, std::string_view tee_kind) {
  const auto found = std::ranges::find_if(verifiers, [&](const auto& one) { return one->tee_kind() == tee_kind; });
  return found == verifiers.end() ? nullptr : found->get();
}

Result<std::map<std::string, Bytes>> read_collateral(const std::string& directory) {
  constexpr std::size_t kMostFiles = 64;
  constexpr std::size_t kLargestFile = std::size_t{4} << 20U;
  std::error_code error;
  std::map<std::string, Bytes> files;
  for (auto entry = std::filesystem::directory_iterator(directory, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!entry->is_regular_file()) continue;
    if (files.size() == kMostFiles) {
      return make_error(Code::kResourceExhausted, "{} holds more than {} files", directory, kMostFiles);
    }
    TCFDL_ASSIGN(files[entry->path().filename().string()], read_file(entry->path(), kLargestFile));
  }
  if (error) return make_error(Code::kNotFound, "cannot read the directory {}: {}", directory, error.message());
  return files;
}

void check_report_data(Findings& findings, BytesView report_data, const Expectations& expected) {
  if (expected.report_data.empty() && expected.unbound) return;
  const bool good = expected.report_data.size() == 64 && crypto::equal_constant_time(report_data, expected.report_data);
  findings.require(good, "report_data", to_hex(report_data),
                   expected.report_data.empty() ? "a statement of which keys and nonce are expected"
                                                : to_hex(expected.report_data));
}

} // namespace tcfdl::attestation
