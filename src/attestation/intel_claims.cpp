#include "attestation/intel_claims.hpp"

#include "attestation/kinds.hpp"
#include "base/encoding.hpp"

namespace tcfdl::attestation {
namespace {

Bytes copy(BytesView bytes) { return {bytes.begin(), bytes.end()}; }

void claim_sgx(const IntelQuote& quote, Claims& claims) {
  constexpr unsigned kDebug = 1U << 1U;
  const auto report = SgxReport::of(quote.body.first<384>());
  claims.tee_kind = kSgx;
  claims.measurement = copy(report.mrenclave);
  claims.signer = copy(report.mrsigner);
  claims.report_data = copy(report.report_data);
  claims.svn = report.isv_svn;
  claims.debug = (report.attributes[0] & kDebug) != 0;
  claims.details["isv_prod_id"] = fmt::format("{}", report.isv_prod_id);
  claims.details["attributes"] = to_hex(report.attributes);
  claims.details["miscselect"] = to_hex(report.miscselect);
}

void claim_tdx(const IntelQuote& quote, Claims& claims) {
  constexpr unsigned kSeptVeDisable = 1U << 4U; // bit 28, in byte 3
  const auto report = TdReport::of(quote.body);
  claims.tee_kind = kTdx;
  claims.measurement = copy(report.mr_td);
  claims.report_data = copy(report.report_data);
  // Byte 0 is the group TUD: any bit of it, DEBUG is bit 0, makes the TD untrusted.
  claims.debug = report.td_attributes[0] != 0;
  claims.sept_ve_disable = (report.td_attributes[3] & kSeptVeDisable) != 0;
  auto& details = claims.details;
  for (std::size_t at = 0; at < report.rtmr.size(); ++at) details[fmt::format("rtmr{}", at)] = to_hex(report.rtmr[at]);
  details["tee_tcb_svn"] = to_hex(report.tee_tcb_svn);
  details["td_attributes"] = to_hex(report.td_attributes);
  details["xfam"] = to_hex(report.xfam);
  details["mr_seam"] = to_hex(report.mr_seam);
  details["mr_signer_seam"] = to_hex(report.mr_signer_seam);
  details["mr_config_id"] = to_hex(report.mr_config_id);
  details["mr_owner"] = to_hex(report.mr_owner);
  details["mr_owner_config"] = to_hex(report.mr_owner_config);
  if (report.mr_service_td.empty()) return;
  details["tee_tcb_svn_2"] = to_hex(report.tee_tcb_svn_2);
  details["mr_service_td"] = to_hex(report.mr_service_td);
}

} // namespace

Claims claims_of(const IntelQuote& quote) {
  Claims claims;
  if (quote.tdx) claim_tdx(quote, claims);
  if (!quote.tdx) claim_sgx(quote, claims);
  claims.details["quote_version"] = fmt::format("{}", quote.version);
  return claims;
}

} // namespace tcfdl::attestation
