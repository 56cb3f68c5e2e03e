// The policy file: rules for each role and for functions, under one version. docs/formats/attestation_policy.md.
#pragma once

#include "attestation/policy.hpp"

#include <utility>

namespace tcfdl::attestation {

/// What a node's proxy is judged as, by its node's role, and what gateways are.
constexpr std::array<std::string_view, 3> kPolicyRoles = {"master", "worker", "gateway"};

/// Rules of a name or, with `*` at the end, of all names that begin so.
struct FunctionRules {
  std::string name;
  Policy policy;
};

/// A default-made document admits nothing.
struct PolicyDocument {
  std::uint64_t version = 0;           ///< 0: the document names none
  std::optional<Policy> everyone = {}; ///< the rules of the top level: for the roles that `roles` does not have
  std::map<std::string, Policy> roles = {};
  std::vector<FunctionRules> functions = {}; ///< hold beside those of the role

  /// The same rules for all roles.
  static PolicyDocument of(Policy policy) { return {.version = 0, .everyone = std::move(policy)}; }

  /// INVALID_ARGUMENT as of `Policy::parse`, for unknown roles, names that are none, names twice, a document without
  /// any rules, and `gateway_measurements` elsewhere than at the top.
  static Result<PolicyDocument> parse_text(const std::string& yaml, const std::string& where);

  /// The rules of a role. `measurements` of those of gateways are of the gateway's program, not of the TEE around it.
  [[nodiscard]] std::optional<Policy> for_role(std::string_view role) const;

  /// The entry with that name, else the longest that matches; null if none does. Its `measurements` are of the
  /// function's program.
  [[nodiscard]] const FunctionRules* for_function(std::string_view function) const;

  /// What the document leaves open, a sentence each, for the log at start.
  [[nodiscard]] std::vector<std::string> warnings() const;
};

} // namespace tcfdl::attestation
