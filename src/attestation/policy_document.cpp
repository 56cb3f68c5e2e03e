#include "attestation/policy_document.hpp"

#include "base/ids.hpp"

#include <algorithm>
#include <limits>

namespace tcfdl::attestation {
namespace {

/// A function's name, or the beginning of names before a `*`.
bool is_pattern(std::string_view name) {
  if (!name.ends_with('*')) return parse_function_name(name).has_value();
  name.remove_suffix(1);
  if (name.ends_with('/')) name.remove_suffix(1);
  return name.empty() || parse_function_name(name).has_value();
}

bool pattern_matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

bool has_entry(const PolicyDocument& document, const std::string& name) {
  return std::ranges::find(document.functions, name, &FunctionRules::name) != document.functions.end();
}

/// Rules that are not of everybody: what is said of gateways there would be said twice.
Result<Policy> parse_inner(ConfigMapping& mapping) {
  if (!mapping.texts("gateway_measurements").empty()) {
    mapping.refuse("gateway_measurements", "give gateways rules of their own, in roles: gateway: measurements");
  }
  return Policy::parse(mapping);
}

Status parse_roles(ConfigMapping& config, PolicyDocument& document) {
  auto roles = config.mapping("roles");
  if (!roles) return {};
  for (const auto name : kPolicyRoles) {
    auto rules = roles->mapping(std::string(name));
    if (!rules) continue;
    TCFDL_ASSIGN(document.roles[std::string(name)], parse_inner(*rules));
  }
  return roles->finish();
}

Status parse_functions(ConfigMapping& config, PolicyDocument& document) {
  for (auto& entry : config.mappings("functions")) {
    FunctionRules rules{.name = entry.text("name"), .policy = {}};
    if (!is_pattern(rules.name)) {
      entry.refuse("name", fmt::format("'{}' is no function's name, nor the beginning of one and *", rules.name));
    }
    if (has_entry(document, rules.name)) {
      entry.refuse("name", fmt::format("'{}' is there twice", rules.name));
    }
    TCFDL_ASSIGN(rules.policy, parse_inner(entry));
    document.functions.push_back(std::move(rules));
  }
  return {};
}

} // namespace

Result<PolicyDocument> PolicyDocument::parse_text(const std::string& yaml, const std::string& where) {
  TCFDL_ASSIGN(auto config, ConfigMapping::parse(yaml, where));
  PolicyDocument document;
  document.version =
      static_cast<std::uint64_t>(config.integer_or("version", 0, 1, std::numeric_limits<std::int32_t>::max()));
  TCFDL_TRY(parse_roles(config, document));
  TCFDL_TRY(parse_functions(config, document));
  if (document.roles.empty() || !config.text_map("tee_kinds").empty()) {
    TCFDL_ASSIGN(document.everyone, Policy::parse(config));
  } else {
    TCFDL_TRY(config.finish());
  }
  return document;
}

std::optional<Policy> PolicyDocument::for_role(std::string_view role) const {
  if (const auto own = roles.find(std::string(role)); own != roles.end()) return own->second;
  if (!everyone || std::ranges::find(kPolicyRoles, role) == kPolicyRoles.end()) return std::nullopt;
  auto rules = *everyone;
  if (role == "gateway") rules.measurements = rules.gateway_measurements;
  return rules;
}

const FunctionRules* PolicyDocument::for_function(std::string_view function) const {
  const FunctionRules* best = nullptr;
  for (const auto& rules : functions) {
    if (rules.name == function) return &rules;
    if (!pattern_matches(rules.name, function)) continue;
    if (best == nullptr || rules.name.size() > best->name.size()) best = &rules;
  }
  return best;
}

std::vector<std::string> PolicyDocument::warnings() const {
  std::vector<std::string> sentences;
  if (everyone) sentences = everyone->warnings();
  for (const auto& [role, rules] : roles) {
    for (const auto& sentence : rules.warnings()) {
      // Of a role's own rules, what they say of gateways is said where those are.
      if (!sentence.starts_with("gateways")) sentences.push_back(fmt::format("{}: {}", role, sentence));
    }
  }
  return sentences;
}

} // namespace tcfdl::attestation
