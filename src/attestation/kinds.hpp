// The TEE kinds, by their name in evidence, and the assurance class of each.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace tcfdl::attestation {

constexpr std::string_view kSoftware = "software";
constexpr std::string_view kSgx = "sgx";
constexpr std::string_view kTdx = "tdx";
constexpr std::string_view kSnp = "snp";
constexpr std::array<std::string_view, 3> kHardwareKinds = {kSgx, kTdx, kSnp};

constexpr std::string_view kSoftwareClass = "software";
constexpr std::string_view kHardwareClass = "hardware";

/// Empty for what is no kind.
constexpr std::string_view class_of(std::string_view kind) noexcept {
  if (kind == kSoftware) return kSoftwareClass;
  return std::ranges::find(kHardwareKinds, kind) != kHardwareKinds.end() ? kHardwareClass : std::string_view();
}

} // namespace tcfdl::attestation
