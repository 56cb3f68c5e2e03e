// `tcfdl policy test`: what a policy says of evidence, before it is in force.
#include "cli/evidence.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {

void add_policy_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("policy", "attestation policies")->require_subcommand(1);
  auto* command = group->add_subcommand("test", "hold a policy against evidence; exits 0 if accepted, 1 if refused");
  auto options = std::make_shared<EvidenceOptions>();
  add_evidence_options(*command, *options);
  command->get_option("--policy")->required();
  command->callback(session.judge([&session, options] { return judge_evidence(session, *options); }));
}

} // namespace tcfdl::cli
