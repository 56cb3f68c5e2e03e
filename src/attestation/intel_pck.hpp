// The SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5): what
// platform the key belongs to, and the versions of what it trusts.
#pragma once

#include "base/result.hpp"

#include <array>
#include <tcfdl/bytes.hpp>

namespace tcfdl::attestation {

constexpr std::string_view kPckExtension = "1.2.840.113741.1.13.1";

struct PckFacts {
  Bytes fmspc;  ///< 6 bytes: the family of the platform, which names its TCB info
  Bytes pceid;  ///< 2 bytes
  Bytes ppid;   ///< 16 bytes: the platform
  Bytes cpusvn; ///< 16 bytes, as written; the components below are what counts
  std::array<std::uint8_t, 16> components{};
  std::uint16_t pcesvn = 0;

  /// From the extension's value in DER. INVALID_ARGUMENT names what is missing, twice there, or malformed.
  static Result<PckFacts> parse(BytesView extension);
};

} // namespace tcfdl::attestation
