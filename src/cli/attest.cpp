// `tcfdl attest verify`: evidence from files, judged without any network.
#include "attestation/policy.hpp"
#include "attestation/verifiers.hpp"
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/rfc3339.hpp"
#include "cli/command.hpp"
#include "cli/yaml_error.hpp"
#include "http/problem.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

namespace tcfdl::cli {
namespace {

constexpr int kAccepted = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr std::size_t kLargestEvidence = std::size_t{1} << 20U;
constexpr std::size_t kLargestCertificates = std::size_t{4} << 20U;

struct VerifyOptions {
  std::string type;
  std::string evidence;
  std::string collateral;
  std::vector<std::string> certificates;
  std::string time;
  std::string report_data;
  std::string policy;
  bool allow_missing_crl = false;
};

/// Everything that the options name, read.
struct Question {
  wire::Evidence evidence;
  attestation::Endorsements endorsements;
  attestation::Expectations expected;
  attestation::Policy policy;
  UnixSeconds time = 0;
};

Result<attestation::Policy> read_policy(const VerifyOptions& options) {
  auto policy = attestation::Policy::of_kind(options.type);
  if (!options.policy.empty()) {
    TCFDL_ASSIGN(const auto text, read_text_file(options.policy, kLargestEvidence));
    auto parsed = attestation::Policy::parse_text(text, options.policy);
    if (!parsed) return with_line(parsed.error(), text, options.policy);
    policy = *std::move(parsed);
  }
  policy.allow_missing_crl = policy.allow_missing_crl || options.allow_missing_crl;
  return policy;
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
Result<wire::Evidence> read_evidence(const VerifyOptions& options) {
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

Result<attestation::Endorsements> read_endorsements(const VerifyOptions& options) {
  attestation::Endorsements endorsements;
  if (!options.collateral.empty()) {
    TCFDL_ASSIGN(endorsements.collateral, attestation::read_collateral(options.collateral));
  }
  for (const auto& file : options.certificates) {
    TCFDL_ASSIGN(auto bytes, read_file(file, kLargestCertificates));
    endorsements.certificates.push_back(std::move(bytes));
  }
  return endorsements;
}

Result<Question> read_question(const VerifyOptions& options) {
  Question question;
  TCFDL_ASSIGN(question.policy, read_policy(options));
  TCFDL_ASSIGN(question.evidence, read_evidence(options));
  TCFDL_ASSIGN(question.endorsements, read_endorsements(options));
  question.expected.unbound = true;
  if (!options.report_data.empty()) {
    TCFDL_ASSIGN(question.expected.report_data, read_report_data(options.report_data));
  }
  question.time = SystemClock().now();
  if (!options.time.empty()) {
    TCFDL_ASSIGN(question.time, from_rfc3339(options.time));
  }
  return question;
}

Json to_json(const attestation::Claims& claims) {
  if (claims.tee_kind.empty()) return Json::object();
  Json json{{"tee", claims.tee_kind},
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
  if (!claims.node.empty()) json["node"] = claims.node;
  if (claims.sept_ve_disable) json["sept_ve_disable"] = *claims.sept_ve_disable;
  if (claims.vmpl) json["vmpl"] = *claims.vmpl;
  if (claims.migratable) json["migratable"] = *claims.migratable;
  return json;
}

Json to_json(const attestation::Findings& findings, const Question& question) {
  Json reasons = Json::array();
  for (const auto& reason : findings.reasons()) {
    reasons.push_back({{"claim", reason.claim}, {"value", reason.value}, {"wanted", reason.wanted}});
  }
  return {{"accepted", findings.accepted()},
          {"assurance", findings.assurance()},
          {"time", to_rfc3339(question.time)},
          {"reasons", std::move(reasons)},
          {"claims", to_json(findings.unverified_claims())}};
}

void print_claims(const attestation::Claims& claims) {
  const auto json = to_json(claims);
  for (const auto& [key, value] : json.items()) {
    if (!value.is_object()) print(fmt::format("  {}: {}\n", key, shown(json, key.c_str())));
    if (!value.is_object()) continue;
    for (const auto& [name, inner] : value.items())
      print(fmt::format("  {}.{}: {}\n", key, name, shown(value, name.c_str())));
  }
}

void print_text(const attestation::Findings& findings, const Question& question) {
  print(fmt::format("{} at {}\n", findings.accepted() ? "accepted as " + findings.assurance() : "refused",
                    to_rfc3339(question.time)));
  for (const auto& reason : findings.reasons()) {
    print(fmt::format("  {}: {}; wanted: {}\n", reason.claim, reason.value, reason.wanted));
  }
  print(findings.accepted() ? "claims:\n" : "claims (not to be relied on):\n");
  print_claims(findings.unverified_claims());
}

int refuse_usage(const Session& session, const Error& error) {
  (void)std::fprintf(stderr, "tcfdl: %s\n", error.to_string().c_str());
  if (session.json) print(std::string(http::problem(error).text()) + "\n");
  return kUsage;
}

int verify(const Session& session, const VerifyOptions& options) {
  const auto question = read_question(options);
  if (!question) return refuse_usage(session, question.error());
  const auto verifiers = attestation::all_verifiers();
  const auto* const verifier = attestation::find_verifier(verifiers, options.type);
  if (verifier == nullptr) {
    return refuse_usage(session, make_error(Code::kInvalidArgument, "--type: '{}' is no TEE kind", options.type));
  }
  auto findings = verifier->verify(question->evidence, question->endorsements, question->expected, question->time);
  attestation::appraise(question->policy, findings);
  if (session.json) {
    print_json(to_json(findings, *question));
  } else {
    print_text(findings, *question);
  }
  return findings.accepted() ? kAccepted : kRefused;
}

} // namespace

void add_attest_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("attest", "evidence of trusted execution environments")->require_subcommand(1);
  auto* command = group->add_subcommand("verify", "check evidence from files; exits 0 if accepted, 1 if refused");
  auto options = std::make_shared<VerifyOptions>();
  command->add_option("--type", options->type, "sgx, tdx, snp or software")
      ->required()
      ->check(CLI::IsMember({"sgx", "tdx", "snp", "software"}));
  command->add_option("--evidence", options->evidence, "the quote, the report, or the message of the software TEE")
      ->required()
      ->type_name("FILE");
  command->add_option("--collateral", options->collateral, "sgx, tdx: the folder of Intel's files")->type_name("DIR");
  command
      ->add_option("--certificates", options->certificates,
                   "snp: VCEK or VLEK, CAs, revocation lists, certificate tables")
      ->type_name("FILE");
  command->add_option("--time", options->time, "judge as of then; default now")->type_name("RFC3339");
  command->add_option("--report-data", options->report_data, "what the evidence must be bound to")->type_name("HEX");
  command->add_option("--policy", options->policy, "see docs/formats/attestation_policy.md")->type_name("FILE");
  command->add_flag("--allow-missing-crl", options->allow_missing_crl, "accept that revocation goes unchecked");
  command->callback([&session, options] {
    session.action = [&session, options]() -> Result<int> { return verify(session, *options); };
  });
}

} // namespace tcfdl::cli
