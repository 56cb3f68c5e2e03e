#include "attestation/policy.hpp"

#include "attestation/software.hpp"
#include "base/encoding.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::attestation {
namespace {

constexpr std::array<std::string_view, 3> kHardwareKinds = {"sgx", "tdx", "snp"};
constexpr std::size_t kShortestMeasurement = 32;
constexpr std::size_t kLongestMeasurement = 64;

/// Why a kind may not have a class; empty if it may.
std::string objection(const std::string& kind, const std::string& assurance) {
  const bool hardware = std::ranges::find(kHardwareKinds, kind) != kHardwareKinds.end();
  if (!hardware && kind != kSoftware) return fmt::format("'{}' is no TEE kind: software, sgx, tdx, snp", kind);
  const auto wanted = hardware ? kHardwareClass : kSoftwareClass;
  if (assurance != wanted) return fmt::format("{} is of class '{}', never '{}'", kind, wanted, assurance);
  return {};
}

std::vector<Bytes> parse_measurements(ConfigMapping& config, const std::string& key) {
  std::vector<Bytes> measurements;
  for (const auto& text : config.texts(key)) {
    auto bytes = from_hex(text);
    if (bytes && bytes->size() >= kShortestMeasurement && bytes->size() <= kLongestMeasurement) {
      measurements.push_back(*std::move(bytes));
    } else {
      config.refuse(key, fmt::format("'{}' is no measurement: 64 to 128 hexadecimal digits", text));
    }
  }
  return measurements;
}

Status check_listed(const std::vector<Bytes>& admitted, BytesView measurement, std::string_view whose) {
  if (admitted.empty()) return {};
  if (std::ranges::any_of(admitted, [&](const Bytes& one) { return std::ranges::equal(one, measurement); })) return {};
  return make_error(Code::kPermissionDenied,
                    "the {}'s measurement is {}, which is none of the {} that the policy admits", whose,
                    to_hex(measurement), admitted.size());
}

} // namespace

Result<Policy> Policy::parse(ConfigMapping& config) {
  Policy policy;
  for (const auto& [kind, assurance] : config.text_map("tee_kinds")) {
    if (const auto why = objection(kind, assurance); !why.empty()) config.refuse("tee_kinds", why);
    policy.tee_kinds[kind] = assurance;
  }
  if (policy.tee_kinds.empty()) config.refuse("tee_kinds", "names no TEE kind, so nothing could be admitted");
  policy.proxy_measurements = parse_measurements(config, "proxy_measurements");
  policy.gateway_measurements = parse_measurements(config, "gateway_measurements");
  policy.allow_debug = config.boolean_or("allow_debug", false);
  TCFDL_TRY(config.finish());
  return policy;
}

Result<Policy> Policy::parse_text(const std::string& yaml, const std::string& where) {
  TCFDL_ASSIGN(auto config, ConfigMapping::parse(yaml, where));
  return parse(config);
}

std::vector<std::string> Policy::warnings() const {
  std::vector<std::string> sentences;
  if (tee_kinds.contains(std::string(kSoftware))) {
    sentences.emplace_back("the software TEE is admitted: it protects against nothing that root on its machine does");
  }
  if (proxy_measurements.empty()) sentences.emplace_back("proxies of any measurement are admitted");
  if (gateway_measurements.empty()) sentences.emplace_back("gateways of any measurement are admitted");
  if (allow_debug) sentences.emplace_back("TEEs in debug mode are admitted: their memory is open to the host");
  return sentences;
}

Result<std::string> appraise(const Policy& policy, const Claims& claims) {
  const auto kind = policy.tee_kinds.find(claims.tee_kind);
  if (kind == policy.tee_kinds.end()) {
    return make_error(Code::kPermissionDenied, "the policy admits no TEE of kind '{}'; add it to tee_kinds to admit it",
                      claims.tee_kind);
  }
  if (claims.debug && !policy.allow_debug) {
    return Error(Code::kPermissionDenied,
                 "the TEE is in debug mode, which the policy admits only with allow_debug: true");
  }
  if (claims.measurement.empty()) return Error(Code::kPermissionDenied, "the claims name no measurement");
  TCFDL_TRY(check_listed(policy.proxy_measurements, claims.measurement, "proxy"));
  return kind->second;
}

Status appraise_gateway(const Policy& policy, BytesView measurement) {
  if (measurement.empty()) return Error(Code::kPermissionDenied, "the gateway has no measurement");
  return check_listed(policy.gateway_measurements, measurement, "gateway");
}

bool meets(std::string_view has, std::string_view wanted) {
  if (has.empty() || wanted.empty()) return false;
  return has == wanted || (has == kHardwareClass && wanted == kSoftwareClass);
}

} // namespace tcfdl::attestation
