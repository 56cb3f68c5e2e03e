// Evidence from files, judged without any network: what `attest verify` and `policy test` share.
#include "cli/evidence.hpp"

#include "attestation/judgement.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/rfc3339.hpp"
#include "cli/yaml_error.hpp"
#include "http/problem.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace tcfdl::cli {
namespace {

constexpr std::size_t kLargestEvidence = std::size_t{1} << 20U;
constexpr std::size_t kLargestCertificates = std::size_t{4} << 20U;

/// Everything that the options name, read.
struct EvidenceFiles {
  wire::Evidence evidence;
  std::vector<attestation::Endorsements> endorsements;
  attestation::Expectations expected;
  attestation::PolicyDocument policy;
  std::string role;
  std::optional<Bytes> program;
  UnixSeconds time = 0;
};

/// Revocation lists may be missing, whoever is judged.
void allow_missing_crls(attestation::PolicyDocument& document) {
  if (document.everyone) document.everyone->allow_missing_crl = true;
  for (auto& [role, policy] : document.roles) policy.allow_missing_crl = true;
  for (auto& rules : document.functions) rules.policy.allow_missing_crl = true;
}

Result<attestation::PolicyDocument> read_attestation_policy(const EvidenceOptions& options) {
  auto document = attestation::PolicyDocument::of(attestation::Policy::of_kind(options.type));
  if (!options.policy.empty()) {
    TCFDL_ASSIGN(const auto text, read_text_file(options.policy, kLargestEvidence));
    auto parsed = attestation::PolicyDocument::parse_text(text, options.policy);
    if (!parsed) return with_line(parsed.error(), text, options.policy);
    document = *std::move(parsed);
  }
  if (options.allow_missing_crl) allow_missing_crls(document);
  return document;
}

/// Without a role, the rules of the top level are meant.
Status choose_role(const EvidenceOptions& options, EvidenceFiles& files) {
  files.role = options.role;
  if (!files.role.empty()) return {};
  if (!files.policy.everyone) {
    return make_error(Code::kInvalidArgument, "--role: {} has rules for roles only; name one of {}", options.policy,
                      fmt::join(attestation::kPolicyRoles, ", "));
  }
  files.policy.roles.clear();
  files.role = "worker";
  return {};
}

/// Bytes of the report data; what is shorter than 64 is followed by zeros, as attesters do.
Result<Bytes> read_report_data(const std::string& hex) {
  constexpr std::size_t kSize = 64;
  auto bytes = from_hex(hex);
  if (!bytes || bytes->empty() || bytes->size() > kSize) {
    return Error(Code::kInvalidArgument, "--report-data: 2 to 128 hexadecimal digits are wanted");
  }
  bytes->resize(kSize);
  return bytes;
}

/// Evidence of the software TEE is a message of its own; of the others the file is the quote or report itself.
Result<wire::Evidence> read_evidence(const EvidenceOptions& options) {
  TCFDL_ASSIGN(const auto bytes, read_file(options.evidence, kLargestEvidence));
  wire::Evidence evidence;
  if (options.type == attestation::kSoftware) {
    auto parsed = wire::parse<wire::Evidence>(bytes);
    if (parsed) evidence = *std::move(parsed);
    return evidence;
  }
  evidence.set_tee_kind(options.type);
  evidence.set_report(std::string(as_text(bytes)));
  return evidence;
}

/// The certificates go with the collateral of each platform.
Result<std::vector<attestation::Endorsements>> read_endorsements(const EvidenceOptions& options) {
  TCFDL_ASSIGN(auto sets, attestation::read_endorsements({.collateral = options.collateral, .certificates = {}}));
  for (const auto& file : options.certificates) {
    TCFDL_ASSIGN(const auto bytes, read_file(file, kLargestCertificates));
    for (auto& set : sets) set.certificates.push_back(bytes);
  }
  return sets;
}

Result<std::optional<Bytes>> read_program(const EvidenceOptions& options) {
  if (options.program.empty()) return std::optional<Bytes>();
  auto bytes = from_hex(options.program);
  if (!bytes) return Error(Code::kInvalidArgument, "--program: hexadecimal digits are wanted");
  return std::optional(*std::move(bytes));
}

Result<EvidenceFiles> read_evidence_files(const EvidenceOptions& options) {
  EvidenceFiles files;
  TCFDL_ASSIGN(files.policy, read_attestation_policy(options));
  TCFDL_TRY(choose_role(options, files));
  TCFDL_ASSIGN(files.evidence, read_evidence(options));
  TCFDL_ASSIGN(files.endorsements, read_endorsements(options));
  TCFDL_ASSIGN(files.program, read_program(options));
  files.expected.unbound = true;
  if (!options.report_data.empty()) {
    TCFDL_ASSIGN(files.expected.report_data, read_report_data(options.report_data));
  }
  TCFDL_ASSIGN(files.time, time_or_now(options.time));
  return files;
}

/// As the service manager does it at enrolment and, for gateways and functions, when it certifies a program.
attestation::Findings judge_files(const EvidenceOptions& options, const EvidenceFiles& files) {
  const auto verifiers = attestation::all_verifiers();
  auto findings = attestation::judge(verifiers, files.policy,
                                     {.evidence = files.evidence,
                                      .endorsements = files.endorsements,
                                      .expected = files.expected,
                                      .now = files.time,
                                      .role = files.role});
  // A program that is not told is refused where the rules name some.
  const BytesView program = files.program ? BytesView(*files.program) : BytesView();
  const auto gateways = files.policy.for_role("gateway");
  if (options.role == "gateway" && (files.program || (gateways && !gateways->measurements.empty()))) {
    attestation::judge_gateway(files.policy, program, findings);
  }
  const auto* const rules = files.policy.for_function(options.function);
  if (options.function.empty() || rules == nullptr) return findings;
  const bool told = files.program || !rules->policy.measurements.empty();
  attestation::judge_function(files.policy, options.function, told ? std::optional(program) : std::nullopt, findings);
  return findings;
}

Json to_json(const attestation::Claims& claims) {
  if (claims.tee_kind.empty()) return Json::object();
  Json document{{"tee", claims.tee_kind},
                {"measurement", to_hex(claims.measurement)},
                {"signer", to_hex(claims.signer)},
                {"svn", claims.svn},
                {"tcb_status", claims.tcb_status},
                {"advisories", claims.advisories},
                {"debug", claims.debug},
                {"report_data", to_hex(claims.report_data)},
                {"tcb", claims.tcb},
                {"missing_crls", claims.missing_crls},
                {"details", claims.details}};
  if (!claims.node.empty()) document["node"] = claims.node;
  if (claims.sept_ve_disable) document["sept_ve_disable"] = *claims.sept_ve_disable;
  if (claims.vmpl) document["vmpl"] = *claims.vmpl;
  if (claims.migratable) document["migratable"] = *claims.migratable;
  return document;
}

Json to_json(const attestation::Findings& findings, const EvidenceOptions& options, const EvidenceFiles& files) {
  const auto* const rules = options.function.empty() ? nullptr : files.policy.for_function(options.function);
  Json policy{{"version", files.policy.version}, {"role", options.role}, {"function", nullptr}};
  if (rules != nullptr) policy["function"] = rules->name;
  return {{"accepted", findings.accepted()},   {"assurance", findings.assurance()},
          {"time", to_rfc3339(files.time)},    {"policy", std::move(policy)},
          {"reasons", reasons_json(findings)}, {"claims", to_json(findings.unverified_claims())}};
}

void print_claims(const attestation::Claims& claims) {
  const auto document = to_json(claims);
  for (const auto& [key, value] : document.items()) {
    if (!value.is_object()) print(fmt::format("  {}: {}\n", key, shown(document, key.c_str())));
    if (!value.is_object()) continue;
    for (const auto& [name, inner] : value.items())
      print(fmt::format("  {}.{}: {}\n", key, name, shown(value, name.c_str())));
  }
}

void print_text(const attestation::Findings& findings, const EvidenceFiles& files) {
  print(fmt::format("{} at {}\n", findings.accepted() ? "accepted as " + findings.assurance() : "refused",
                    to_rfc3339(files.time)));
  print_reasons(findings);
  print(findings.accepted() ? "claims:\n" : "claims (not to be relied on):\n");
  print_claims(findings.unverified_claims());
}

} // namespace

Json reasons_json(const attestation::Findings& findings) {
  Json reasons = Json::array();
  for (const auto& reason : findings.reasons()) {
    reasons.push_back({{"claim", reason.claim}, {"value", reason.value}, {"wanted", reason.wanted}});
  }
  return reasons;
}

void print_reasons(const attestation::Findings& findings) {
  for (const auto& reason : findings.reasons()) {
    print(fmt::format("  {}: {}; wanted: {}\n", reason.claim, reason.value, reason.wanted));
  }
}

Result<UnixSeconds> time_or_now(const std::string& text) {
  return text.empty() ? Result<UnixSeconds>(SystemClock().now()) : from_rfc3339(text);
}

int judge_evidence(const Session& session, const EvidenceOptions& options) {
  const auto files = read_evidence_files(options);
  if (!files) return refuse_usage(session, files.error());
  const auto findings = judge_files(options, *files);
  if (session.json) {
    print_json(to_json(findings, options, *files));
  } else {
    print_text(findings, *files);
  }
  return findings.accepted() ? kAccepted : kRefused;
}

void add_evidence_options(CLI::App& command, EvidenceOptions& options) {
  command.add_option("--type", options.type, "sgx, tdx, snp or software")
      ->required()
      ->check(CLI::IsMember({"sgx", "tdx", "snp", "software"}));
  command.add_option("--evidence", options.evidence, "the quote, the report, or the message of the software TEE")
      ->required()
      ->type_name("FILE");
  command.add_option("--collateral", options.collateral, "sgx, tdx: folders of Intel's files, of which one must fit")
      ->type_name("DIR");
  command
      .add_option("--certificates", options.certificates,
                  "snp: VCEK or VLEK, CAs, revocation lists, certificate tables")
      ->type_name("FILE");
  command.add_option("--time", options.time, "judge as of then; default now")->type_name("RFC3339");
  command.add_option("--report-data", options.report_data, "what the evidence must be bound to")->type_name("HEX");
  command.add_option("--policy", options.policy, "see docs/formats/attestation_policy.md")->type_name("FILE");
  command
      .add_option("--role", options.role,
                  "hold the rules of that role against it: master, worker, gateway; default: those of the top level")
      ->check(CLI::IsMember({"master", "worker", "gateway"}));
  command.add_option("--function", options.function, "and those of that function")->type_name("NAME");
  command.add_option("--program", options.program, "measurement of the gateway or of the function's program")
      ->type_name("HEX");
}

} // namespace tcfdl::cli
