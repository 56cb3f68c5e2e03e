#include "attestation/judgement.hpp"

namespace tcfdl::attestation {
namespace {

Findings judge_with(const Verifier& verifier, const Policy& policy, const Question& question,
                    const Endorsements& endorsements) {
  auto findings = verifier.verify(question.evidence, endorsements, question.expected, question.now);
  // Gateways are programs in the TEE of a node, which is all that evidence tells of them.
  if (question.role == "gateway") {
    appraise_platform(policy, findings);
  } else {
    appraise(policy, findings);
  }
  return findings;
}

std::string named_roles(const PolicyDocument& document) {
  std::vector<std::string_view> names;
  for (const auto role : kPolicyRoles) {
    if (document.for_role(role)) names.push_back(role);
  }
  return names.empty() ? "rules for it in the policy, which has none for anybody"
                       : fmt::format("a role that the policy has rules for: {}", fmt::join(names, ", "));
}

} // namespace

Findings judge(const Verifiers& verifiers, const PolicyDocument& document, const Question& question) {
  Findings best;
  const auto* const verifier = find_verifier(verifiers, question.evidence.tee_kind());
  if (verifier == nullptr) {
    best.refuse("tee", fmt::format("kind '{}', which no verifier here reads", question.evidence.tee_kind()),
                "software, sgx, tdx or snp");
    return best;
  }
  const auto policy = document.for_role(question.role);
  if (!policy) {
    best.refuse("role", question.role, named_roles(document));
    return best;
  }
  static const std::vector<Endorsements> kNone(1);
  bool first = true;
  for (const auto& endorsements : question.endorsements.empty() ? kNone : question.endorsements) {
    auto findings = judge_with(*verifier, *policy, question, endorsements);
    if (first || findings.accepted() || findings.reasons().size() < best.reasons().size()) best = std::move(findings);
    if (best.accepted()) break;
    first = false;
  }
  return best;
}

void judge_gateway(const PolicyDocument& document, BytesView program, Findings& findings) {
  const auto policy = document.for_role("gateway");
  if (policy) return appraise_program(*policy, program, findings);
  findings.refuse("role", "gateway", named_roles(document));
}

void judge_function(const PolicyDocument& document, const std::string& function, std::optional<BytesView> program,
                    Findings& findings) {
  const auto* const rules = document.for_function(function);
  if (rules == nullptr) return;
  if (program) return appraise_program(rules->policy, *program, findings);
  appraise_platform(rules->policy, findings);
}

Result<std::vector<Endorsements>> read_endorsements(const EndorsementFiles& files) {
  std::vector<Bytes> certificates;
  if (!files.certificates.empty()) {
    TCFDL_ASSIGN(auto found, read_collateral(files.certificates));
    for (auto& [name, content] : found) certificates.push_back(std::move(content));
  }
  std::vector<Endorsements> sets;
  for (const auto& directory : files.collateral) {
    TCFDL_ASSIGN(auto collateral, read_collateral(directory));
    sets.push_back({.collateral = std::move(collateral), .certificates = certificates});
  }
  if (sets.empty()) sets.push_back({.collateral = {}, .certificates = std::move(certificates)});
  return sets;
}

} // namespace tcfdl::attestation
