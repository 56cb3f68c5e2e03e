// Verdicts on evidence, and the attestation results that tell of them.
#include "attestation/report_data.hpp"
#include "attestation/result_token.hpp"
#include "service_manager/authority/authority.hpp"
#include "service_manager/authority/operations.hpp"
#include "service_manager/authority/programs.hpp"

namespace tcfdl::service_manager {
namespace {

constexpr std::size_t kShortestResultNonce = 8; // RFC 9711 section 4.1
constexpr std::size_t kLongestResultNonce = 64;

/// As the policy names it; empty for who is not attested.
std::string policy_role(wire::Role role) {
  if (role == wire::ROLE_MASTER) return "master";
  return role == wire::ROLE_WORKER ? "worker" : "";
}

std::string result_role(wire::Role role) {
  if (role == wire::ROLE_PROXY) return "proxy";
  return role == wire::ROLE_GATEWAY ? "gateway" : "instance";
}

attestation::AttestationResult result_of(const wire::Certificate& certificate, const attestation::Claims& tee) {
  attestation::AttestationResult result;
  result.subject = certificate.cluster() + "/" + certificate.subject();
  result.key = to_bytes(certificate.verify_key());
  result.role = result_role(certificate.role());
  result.cluster = certificate.cluster();
  result.node = certificate.node();
  result.function = certificate.function();
  result.measurement = to_bytes(certificate.measurement());
  result.tee_kind = tee.tee_kind;
  result.tee_measurement = tee.measurement;
  result.signer = tee.signer;
  result.svn = tee.svn;
  result.tcb_status = tee.tcb_status;
  result.advisories = tee.advisories;
  result.debug = tee.debug;
  return result;
}

/// The evidence by which a node's certificate was issued; nullptr when it is not kept any more.
const Bytes* evidence_behind(const wire::Certificate& certificate, const authority::NodeEvidence& kept) {
  if (certificate.role() != wire::ROLE_PROXY) {
    return certificate.issued() >= kept.enrolled ? &kept.evidence : nullptr;
  }
  for (const auto* evidence : {&kept.evidence, &kept.previous}) {
    if (std::ranges::equal(crypto::sha256(*evidence), as_bytes(certificate.evidence_hash()))) return evidence;
  }
  return nullptr;
}

} // namespace

Result<attestation::Findings> Authority::judge(const wire::Evidence& evidence, wire::Role role,
                                               const attestation::Expectations& expected) const {
  std::vector<attestation::Endorsements> endorsements;
  if (settings_.endorsements) {
    auto read = settings_.endorsements();
    if (!read) return read.error().within("endorsements");
    endorsements = *std::move(read);
  }
  return attestation::judge(parts_.verifiers, settings_.policy,
                            {.evidence = evidence,
                             .endorsements = endorsements,
                             .expected = expected,
                             .now = parts_.clock.now(),
                             .role = policy_role(role)});
}

Result<Authority::Judged> Authority::judge_proxy(const wire::EnrolRequest& request) const {
  const auto& proxy = request.proxy();
  const auto data = attestation::report_data("proxy", as_bytes(proxy.nonce()),
                                             {as_bytes(proxy.verify_key()), as_bytes(proxy.seal_key())});
  TCFDL_ASSIGN(const auto findings, judge(proxy.evidence(), request.role(),
                                          {.report_data = Bytes(data.begin(), data.end()),
                                           .node = request.name(),
                                           .platform_key = to_bytes(request.platform_key())}));
  const auto claims = findings.outcome();
  if (!claims) return claims.error().within("proxy.evidence");
  return Judged{.tee_kind = claims->tee_kind, .assurance = findings.assurance(), .measurement = claims->measurement};
}

Result<Authority::Rejudged> Authority::judge_again(const wire::Certificate& certificate) const {
  TCFDL_ASSIGN(const auto found, authority::find_evidence(parts_.database, certificate.cluster(), certificate.node()));
  // The authority's own certificate ties its key to that evidence, so that the binding is not looked at again: for
  // proxies by the hash, for programs by the time, since they are certified under the proxy of that enrolment.
  const auto* const evidence_bytes = found ? evidence_behind(certificate, *found) : nullptr;
  if (!found || evidence_bytes == nullptr) {
    return make_error(Code::kUnauthenticated,
                      "{} was certified before node {} enrolled with its present evidence; certify it anew",
                      certificate.subject(), certificate.node());
  }
  TCFDL_ASSIGN(const auto evidence, wire::parse<wire::Evidence>(*evidence_bytes));
  TCFDL_ASSIGN(
      auto findings,
      judge(evidence, found->role,
            {.report_data = {}, .node = certificate.node(), .platform_key = found->platform_key, .unbound = true}));
  return Rejudged{.findings = std::move(findings), .evidence_hash = crypto::sha256(*evidence_bytes)};
}

Result<std::string> Authority::attestation_result(const wire::Signed& signed_certificate, BytesView nonce,
                                                  const std::string& cluster) {
  if (!nonce.empty() && (nonce.size() < kShortestResultNonce || nonce.size() > kLongestResultNonce)) {
    return make_error(Code::kInvalidArgument, "nonce: {} bytes; {} to {} are allowed", nonce.size(),
                      kShortestResultNonce, kLongestResultNonce);
  }
  const auto now = parts_.clock.now();
  const auto certificate = wire::verify_certificate(public_key(), signed_certificate,
                                                    {wire::ROLE_PROXY, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}, now);
  if (!certificate) return certificate.error().within("certificate");
  if (certificate->cluster() != cluster) {
    return make_error(Code::kPermissionDenied, "{} is of cluster {}, the request of {}", certificate->subject(),
                      certificate->cluster(), cluster);
  }
  TCFDL_TRY(check_enrolled(*certificate));
  TCFDL_ASSIGN(const auto judged, judge_again(*certificate));
  const auto& findings = judged.findings;
  TCFDL_ASSIGN(const auto claims, findings.outcome());
  if (certificate->role() != wire::ROLE_PROXY) {
    TCFDL_TRY(admit_program(settings_.policy, certificate->role(), certificate->function(),
                            as_bytes(certificate->measurement()), findings));
  }
  auto result = result_of(*certificate, claims);
  result.issued = now;
  result.expires = std::min(now + attestation::kResultLifetime, certificate->expires());
  result.nonce = Bytes(nonce.begin(), nonce.end());
  result.assurance = findings.assurance();
  result.policy_version = settings_.policy.version;
  const auto certificate_hash = crypto::sha256(as_bytes(signed_certificate.statement()));
  result.certificate_hash = Bytes(certificate_hash.begin(), certificate_hash.end());
  result.evidence_hash = Bytes(judged.evidence_hash.begin(), judged.evidence_hash.end());
  return attestation::sign_result(keys_->signing_key(), result);
}

} // namespace tcfdl::service_manager
