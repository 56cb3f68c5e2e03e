// What evidence must show to be admitted, and the assurance class that it then has.
#pragma once

#include "attestation/verifier.hpp"
#include "base/config.hpp"

#include <map>

namespace tcfdl::attestation {

inline constexpr std::string_view kSoftwareClass = "software";
inline constexpr std::string_view kHardwareClass = "hardware";

/// Which evidence is admitted. A default-made policy admits nothing.
struct Policy {
  /// TEE kind → assurance class. A kind that is absent is refused.
  std::map<std::string, std::string> tee_kinds;
  /// Empty: any measurement of a proxy is admitted.
  std::vector<Bytes> proxy_measurements;
  /// Empty: any measurement of a gateway is admitted.
  std::vector<Bytes> gateway_measurements;
  /// Whether hardware evidence in debug mode is admitted: its memory is open to the host.
  bool allow_debug = false;

  /// Reads `tee_kinds` (mapping), `proxy_measurements`, `gateway_measurements` (lists of 32 to 64 bytes in hexadecimal)
  /// and `allow_debug`, and finishes the mapping. INVALID_ARGUMENT for an unknown kind or class, for the software TEE
  /// in any other class than `software`, for a hardware TEE in that class, and for a policy that admits no kind.
  static Result<Policy> parse(ConfigMapping& config);
  static Result<Policy> parse_text(const std::string& yaml, const std::string& where);

  /// What the policy leaves open, a sentence each, for the log at start.
  [[nodiscard]] std::vector<std::string> warnings() const;
};

/// The assurance class of checked claims of a proxy. PERMISSION_DENIED names the claim, its value and what the policy
/// wants. There is no success by default.
Result<std::string> appraise(const Policy& policy, const Claims& claims);

/// Whether a gateway of that measurement is admitted. PERMISSION_DENIED otherwise.
Status appraise_gateway(const Policy& policy, BytesView measurement);

/// Whether what is attested as `has` may serve where `wanted` is asked for: the same class, or hardware for software.
bool meets(std::string_view has, std::string_view wanted);

} // namespace tcfdl::attestation
