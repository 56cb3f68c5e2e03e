#include "attestation/software.hpp"

#include "base/encoding.hpp"
#include "wire/signed.hpp"

namespace tcfdl::attestation {
namespace {

/// The report, if the platform key signed it; whose key that must be is checked by the caller.
Result<wire::SoftwareReport> open_report(const wire::Evidence& evidence) {
  TCFDL_ASSIGN(const auto key, crypto::VerifyKey::from_bytes(as_bytes(evidence.platform_key())));
  TCFDL_ASSIGN(const auto signed_report, wire::parse<wire::Signed>(evidence.report()));
  return wire::verify<wire::SoftwareReport>(key, signed_report);
}

Claims claims_of(const wire::Evidence& evidence, const wire::SoftwareReport& report) {
  Claims claims;
  claims.tee_kind = kSoftware;
  claims.measurement = to_bytes(report.measurement());
  claims.report_data = to_bytes(report.report_data());
  claims.signer = to_bytes(evidence.platform_key());
  claims.node = report.node();
  return claims;
}

} // namespace

Findings SoftwareVerifier::verify(const wire::Evidence& evidence, const Endorsements& /*endorsements*/,
                                  const Expectations& expected, UnixSeconds /*now*/) const {
  Findings findings;
  if (!findings.require(evidence.tee_kind() == kSoftware, "tee", fmt::format("kind '{}'", evidence.tee_kind()),
                        "kind 'software'")) {
    return findings;
  }
  const bool any_key = expected.platform_key.empty() && expected.unbound;
  findings.require(any_key || crypto::equal_constant_time(as_bytes(evidence.platform_key()), expected.platform_key),
                   "platform key", to_hex(as_bytes(evidence.platform_key())),
                   expected.platform_key.empty() ? "a statement of which key is expected"
                                                 : to_hex(expected.platform_key));
  const auto report = open_report(evidence);
  if (!report) {
    findings.refuse("signature", report.error().message(), "a report signed by the platform key");
    return findings;
  }
  findings.unverified_claims() = claims_of(evidence, *report);
  findings.require(report->measurement().size() == crypto::kSha256Size, "measurement",
                   fmt::format("{} bytes", report->measurement().size()), "32 bytes");
  const bool any_node = expected.node.empty() && expected.unbound;
  findings.require(any_node || (!expected.node.empty() && report->node() == expected.node), "node",
                   fmt::format("'{}'", report->node()), fmt::format("'{}'", expected.node));
  check_report_data(findings, as_bytes(report->report_data()), expected);
  findings.set_verified();
  return findings;
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
