// Holds policies against claims.
#include "attestation/policy.hpp"
#include "base/encoding.hpp"
#include "wire/signed.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

bool contains(const std::vector<Bytes>& list, BytesView value) {
  return std::ranges::any_of(list, [&](const Bytes& one) { return std::ranges::equal(one, value); });
}

std::string listed(const std::vector<Bytes>& list) {
  std::vector<std::string> texts;
  texts.reserve(list.size());
  for (const auto& one : list) texts.push_back(to_hex(one));
  return fmt::format("one of {}", fmt::join(texts, ", "));
}

void check_measurement(const Policy& policy, std::string_view claim, BytesView measurement, Findings& findings) {
  if (!findings.require(!measurement.empty(), std::string(claim), "none", "a measurement")) return;
  if (policy.measurements.empty()) return;
  findings.require(contains(policy.measurements, measurement), std::string(claim), to_hex(measurement),
                   listed(policy.measurements));
}

void check_signer(const Policy& policy, const Claims& claims, Findings& findings) {
  if (policy.signers.empty()) return;
  findings.require(contains(policy.signers, claims.signer), "signer", to_hex(claims.signer), listed(policy.signers));
}

/// Statuses are Intel's; the other kinds have none, and are held to minimum_tcb.
void check_status(const Policy& policy, const Claims& claims, Findings& findings) {
  const bool intel = claims.tee_kind == kSgx || claims.tee_kind == kTdx;
  if (!intel && claims.tcb_status.empty()) return;
  // Without a status the verifier has said why.
  if (claims.tcb_status.empty() && !findings.reasons().empty()) return;
  const bool listed = claims.tcb_status != "Revoked" &&
                      std::ranges::find(policy.tcb_statuses, claims.tcb_status) != policy.tcb_statuses.end();
  findings.require(listed, "tcb_status", claims.tcb_status.empty() ? "none" : claims.tcb_status,
                   fmt::format("one of {}", fmt::join(policy.tcb_statuses, ", ")));
}

void check_minimum(const Policy& policy, const Claims& claims, Findings& findings) {
  const auto minimum = policy.minimum_tcb.find(claims.tee_kind);
  if (minimum == policy.minimum_tcb.end()) return;
  for (const auto& [name, least] : minimum->second) {
    const auto found = claims.tcb.find(name);
    const bool known = name == "svn" || found != claims.tcb.end();
    const auto value = name == "svn" ? claims.svn : known ? found->second : 0;
    findings.require(known && value >= least, "tcb." + name, known ? fmt::format("{}", value) : "none",
                     fmt::format("{} or more", least));
  }
}

void check_details(const Policy& policy, const Claims& claims, Findings& findings) {
  for (const auto& [name, wanted] : policy.required_details) {
    const auto found = claims.details.find(name);
    const bool good = found != claims.details.end() && found->second == wanted;
    findings.require(good, name, found == claims.details.end() ? "none" : found->second, wanted);
  }
}

void check_revocation(const Policy& policy, const Claims& claims, Findings& findings) {
  if (policy.allow_missing_crl) return;
  for (const auto& issuer : claims.missing_crls) {
    findings.refuse("crl", fmt::format("the revocation list of '{}' is missing", issuer),
                    "the list, or allow_missing_crl: true");
  }
}

void check_tdx(const Policy& policy, const Claims& claims, Findings& findings) {
  if (claims.tee_kind != kTdx || !policy.require_sept_ve_disable) return;
  findings.require(claims.sept_ve_disable.value_or(false), "sept_ve_disable", "false", "true");
}

void check_snp(const Policy& policy, const Claims& claims, Findings& findings) {
  if (claims.tee_kind != kSnp) return;
  findings.require(claims.vmpl && *claims.vmpl <= policy.highest_vmpl, "vmpl",
                   claims.vmpl ? fmt::format("{}", *claims.vmpl) : "none",
                   fmt::format("{} or less", policy.highest_vmpl));
  findings.require(policy.allow_migration || !claims.migratable.value_or(true), "migratable", "true", "false");
}

/// All rules but those of measurements.
void check_rules_of_tee(const Policy& policy, Findings& findings) {
  const auto& claims = findings.unverified_claims();
  const auto kind = policy.tee_kinds.find(claims.tee_kind);
  if (kind == policy.tee_kinds.end()) {
    if (findings.reasons().empty() || !claims.tee_kind.empty()) {
      findings.refuse("tee", fmt::format("kind '{}'", claims.tee_kind), "a kind that tee_kinds of the policy names");
    }
    return;
  }
  findings.require(!claims.debug || policy.allow_debug, "debug", "true", "false");
  check_signer(policy, claims, findings);
  check_status(policy, claims, findings);
  check_minimum(policy, claims, findings);
  check_details(policy, claims, findings);
  check_revocation(policy, claims, findings);
  check_tdx(policy, claims, findings);
  check_snp(policy, claims, findings);
  findings.set_appraised(kind->second);
}

} // namespace

void appraise(const Policy& policy, Findings& findings) {
  const auto& claims = findings.unverified_claims();
  if (policy.tee_kinds.contains(claims.tee_kind))
    check_measurement(policy, "measurement", claims.measurement, findings);
  check_rules_of_tee(policy, findings);
}

void appraise_program(const Policy& policy, BytesView program, Findings& findings) {
  check_measurement(policy, "program", program, findings);
  check_rules_of_tee(policy, findings);
}

void appraise_platform(const Policy& policy, Findings& findings) { check_rules_of_tee(policy, findings); }

bool meets(std::string_view has, std::string_view wanted) { return wire::assurance_meets(has, wanted); }

} // namespace tcfdl::attestation
