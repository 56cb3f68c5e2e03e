#include "attestation/policy.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace tcfdl::attestation {
namespace {

constexpr std::size_t kShortestMeasurement = 32;
constexpr std::size_t kLongestMeasurement = 65;

/// What a policy may name; Revoked never passes.
constexpr std::array<std::string_view, 6> kStatuses = {
    "UpToDate",  "SWHardeningNeeded",           "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
    "OutOfDate", "OutOfDateConfigurationNeeded"};

/// Why a kind may not have a class; empty if it may.
std::string objection(const std::string& kind, const std::string& assurance) {
  const auto wanted = class_of(kind);
  if (wanted.empty()) return fmt::format("'{}' is no TEE kind: software, sgx, tdx, snp", kind);
  if (assurance != wanted) return fmt::format("{} is of class '{}', never '{}'", kind, wanted, assurance);
  return {};
}

std::vector<Bytes> parse_digests(ConfigMapping& config, const std::string& key) {
  std::vector<Bytes> digests;
  for (const auto& text : config.texts(key)) {
    auto bytes = from_hex(text);
    if (bytes && bytes->size() >= kShortestMeasurement && bytes->size() <= kLongestMeasurement) {
      digests.push_back(*std::move(bytes));
    } else {
      config.refuse(key, fmt::format("'{}' is no digest or key: 64 to 130 hexadecimal digits", text));
    }
  }
  return digests;
}

std::vector<std::string> parse_statuses(ConfigMapping& config, const std::vector<std::string>& otherwise) {
  auto statuses = config.texts("tcb_statuses");
  for (const auto& status : statuses) {
    if (std::ranges::find(kStatuses, status) != kStatuses.end()) continue;
    config.refuse("tcb_statuses",
                  fmt::format("'{}' is no status that can be admitted: {}", status, fmt::join(kStatuses, ", ")));
  }
  return statuses.empty() ? otherwise : statuses;
}

std::map<std::string, std::uint64_t> parse_numbers(ConfigMapping& config, const std::string& kind) {
  std::map<std::string, std::uint64_t> numbers;
  for (const auto& [name, text] : config.text_map(kind)) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) {
      numbers[name] = number;
    } else {
      config.refuse(kind, fmt::format("'{}' of {} is no whole number", text, name));
    }
  }
  return numbers;
}

Status parse_minimum_tcb(ConfigMapping& config, Policy& policy) {
  auto kinds = config.mapping("minimum_tcb");
  if (!kinds) return {};
  for (const auto kind : kHardwareKinds) {
    auto numbers = parse_numbers(*kinds, std::string(kind));
    if (!numbers.empty()) policy.minimum_tcb[std::string(kind)] = std::move(numbers);
  }
  return kinds->finish();
}

} // namespace

Policy Policy::of_kind(const std::string& tee_kind) {
  Policy policy;
  if (const auto assurance = class_of(tee_kind); !assurance.empty()) policy.tee_kinds[tee_kind] = assurance;
  return policy;
}

Result<Policy> Policy::parse(ConfigMapping& config) {
  Policy policy;
  for (const auto& [kind, assurance] : config.text_map("tee_kinds")) {
    if (const auto why = objection(kind, assurance); !why.empty()) config.refuse("tee_kinds", why);
    policy.tee_kinds[kind] = assurance;
  }
  if (policy.tee_kinds.empty()) config.refuse("tee_kinds", "names no TEE kind, so nothing could be admitted");
  policy.measurements = parse_digests(config, "measurements");
  policy.gateway_measurements = parse_digests(config, "gateway_measurements");
  policy.signers = parse_digests(config, "signers");
  policy.allow_debug = config.boolean_or("allow_debug", policy.allow_debug);
  policy.allow_missing_crl = config.boolean_or("allow_missing_crl", policy.allow_missing_crl);
  policy.tcb_statuses = parse_statuses(config, policy.tcb_statuses);
  TCFDL_TRY(parse_minimum_tcb(config, policy));
  for (const auto& [name, value] : config.text_map("required_details")) policy.required_details[name] = value;
  policy.require_sept_ve_disable = config.boolean_or("require_sept_ve_disable", policy.require_sept_ve_disable);
  policy.highest_vmpl = static_cast<std::uint64_t>(config.integer_or("highest_vmpl", 3, 0, 3));
  policy.allow_migration = config.boolean_or("allow_migration", policy.allow_migration);
  TCFDL_TRY(config.finish());
  return policy;
}

Result<Policy> Policy::parse_text(const std::string& yaml, const std::string& where) {
  TCFDL_ASSIGN(auto config, ConfigMapping::parse(yaml, where));
  return parse(config);
}

std::vector<std::string> Policy::warnings() const {
  std::vector<std::string> sentences;
  const auto say = [&](bool open, const char* sentence) {
    if (open) sentences.emplace_back(sentence);
  };
  say(tee_kinds.contains(std::string(kSoftware)),
      "the software TEE is admitted: it protects against nothing that root on its machine does");
  say(measurements.empty(), "proxies of any measurement are admitted");
  say(gateway_measurements.empty(), "gateways of any measurement are admitted");
  say(allow_debug, "TEEs in debug mode are admitted: their memory is open to the host");
  say(allow_missing_crl, "revoked certificates may be admitted: missing revocation lists are allowed");
  say(!require_sept_ve_disable, "TDs without SEPT_VE_DISABLE are admitted: the host can disturb their memory accesses");
  return sentences;
}

} // namespace tcfdl::attestation
