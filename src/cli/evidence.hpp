// Evidence and policies from files: options, verdict and output of the commands that judge.
#pragma once

#include "attestation/findings.hpp"
#include "base/clock.hpp"
#include "cli/command.hpp"

namespace tcfdl::cli {

struct EvidenceOptions {
  std::string type;
  std::string evidence;
  std::vector<std::string> collateral;
  std::vector<std::string> certificates;
  std::string time;
  std::string report_data;
  std::string policy;
  std::string role;
  std::string function;
  std::string program;
  bool allow_missing_crl = false;
};

void add_evidence_options(CLI::App& command, EvidenceOptions& options);

/// Judges and prints; the exit code.
int judge_evidence(const Session& session, const EvidenceOptions& options);

/// An array of {claim, value, wanted}.
Json reasons_json(const attestation::Findings& findings);
void print_reasons(const attestation::Findings& findings);

/// INVALID_ARGUMENT for what is no time of RFC 3339.
Result<UnixSeconds> time_or_now(const std::string& text);

} // namespace tcfdl::cli
