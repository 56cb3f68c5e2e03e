#include "attestation/software.hpp"

#include "wire/signed.hpp"

namespace tcfdl::attestation {
namespace {

Status check_form(const wire::Evidence& evidence, const Expectations& expected) {
  if (evidence.tee_kind() != kSoftware) {
    return make_error(Code::kInvalidArgument, "the evidence is of a TEE of kind '{}', not 'software'",
                      evidence.tee_kind());
  }
  if (expected.report_data.size() != crypto::kSha512Size || expected.node.empty()) {
    return Error(Code::kInvalidArgument,
                 "software evidence cannot be judged without the report data and node expected");
  }
  return {};
}

Status check_report(const wire::SoftwareReport& report, const Expectations& expected) {
  if (report.measurement().size() != crypto::kSha256Size) {
    return make_error(Code::kInvalidArgument, "the report's measurement has {} bytes, not 32",
                      report.measurement().size());
  }
  if (report.node() != expected.node) {
    return make_error(Code::kPermissionDenied, "the report is of node '{}', not of '{}'", report.node(), expected.node);
  }
  if (!crypto::equal_constant_time(as_bytes(report.report_data()), expected.report_data)) {
    return Error(Code::kPermissionDenied,
                 "the report's data differ from the expected: it is bound to other keys or another nonce");
  }
  return {};
}

} // namespace

Result<Claims> SoftwareVerifier::verify(const wire::Evidence& evidence, const Expectations& expected,
                                        UnixSeconds /*now*/) const {
  TCFDL_TRY(check_form(evidence, expected));
  if (!crypto::equal_constant_time(as_bytes(evidence.platform_key()), expected.platform_key)) {
    return make_error(Code::kUnauthenticated, "the evidence is signed by another platform key than that of node '{}'",
                      expected.node);
  }
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(expected.platform_key));
  TCFDL_ASSIGN(const auto signed_report, wire::parse<wire::Signed>(evidence.report()));
  TCFDL_ASSIGN(const auto report, wire::verify<wire::SoftwareReport>(key, signed_report));
  TCFDL_TRY(check_report(report, expected));
  Claims claims;
  claims.tee_kind = kSoftware;
  claims.measurement = to_bytes(report.measurement());
  claims.report_data = to_bytes(report.report_data());
  claims.signer = expected.platform_key;
  claims.node = report.node();
  return claims;
}

wire::Evidence make_software_evidence(const crypto::SigningKey& platform_key, BytesView measurement,
                                      BytesView report_data, const std::string& node) {
  wire::SoftwareReport report;
  report.set_measurement(wire::field(measurement));
  report.set_report_data(wire::field(report_data));
  report.set_node(node);
  wire::Evidence evidence;
  evidence.set_tee_kind(std::string(kSoftware));
  evidence.set_report(wire::sign(platform_key, report).SerializeAsString());
  evidence.set_platform_key(wire::field(platform_key.public_key().bytes()));
  return evidence;
}

} // namespace tcfdl::attestation
