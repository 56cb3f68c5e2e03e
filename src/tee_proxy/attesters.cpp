#include "tee_proxy/attesters.hpp"

#include "attestation/software.hpp"
#include "tee/bundle.hpp"
#include "tee/gramine_attester.hpp"
#include "tee/tsm_attester.hpp"

namespace tcfdl::tee_proxy {

Result<wire::Evidence> SoftwareAttester::attest(BytesView report_data) {
  if (report_data.size() != tee::kReportDataSize) {
    return make_error(Code::kInvalidArgument, "report data have {} bytes, not {}", report_data.size(),
                      tee::kReportDataSize);
  }
  TCFDL_ASSIGN(const auto measurement, tee::measure_self());
  return attestation::make_software_evidence(platform_key_, measurement, report_data, node_);
}

std::string SoftwareAttester::description() const {
  return "software TEE, which protects against nothing that root on this machine does";
}

Result<std::unique_ptr<tee::Attester>> make_attester(const TeeSettings& settings,
                                                     const crypto::SigningKey& platform_key, const std::string& node) {
  if (settings.tee == "software") {
    if (settings.root.empty()) return std::make_unique<SoftwareAttester>(platform_key, node);
    return Error(Code::kInvalidArgument, "the software TEE has no attestation root; leave it out");
  }
  if (settings.tee == "gramine") {
    TCFDL_ASSIGN(auto made, tee::GramineAttester::open(settings.root.empty() ? tee::kGramineRoot : settings.root));
    return std::unique_ptr<tee::Attester>(std::move(made));
  }
  if (settings.tee == "tsm") {
    tee::TsmSettings tsm;
    if (!settings.root.empty()) tsm.root = settings.root;
    TCFDL_ASSIGN(auto made, tee::TsmAttester::open(std::move(tsm)));
    return std::unique_ptr<tee::Attester>(std::move(made));
  }
  return make_error(Code::kInvalidArgument, "'{}' is no TEE that there is; there are software, gramine and tsm",
                    settings.tee);
}

} // namespace tcfdl::tee_proxy
