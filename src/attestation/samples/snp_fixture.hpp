// SNP reports made byte by byte.
#pragma once

#include "attestation/snp_report.hpp"

#include <algorithm>
#include <concepts>

namespace tcfdl::attestation::test {

class SnpReportBytes {
public:
  explicit SnpReportBytes(std::uint32_t version = 3) : bytes_(kSnpReportSize) {
    put(0, version);
    put(0x008, std::uint64_t{0x30000});
    put(0x034, std::uint32_t{1});
    put(0x040, std::uint64_t{0x25});
    if (version >= 3) put(0x188, Bytes{0x19, 0x01, 0x01}); // Milan
  }

  template <std::unsigned_integral Integer> SnpReportBytes& put(std::size_t at, Integer value) {
    for (std::size_t i = 0; i < sizeof(Integer); ++i) bytes_.at(at + i) = static_cast<std::uint8_t>(value >> 8U * i);
    return *this;
  }
  SnpReportBytes& put(std::size_t at, BytesView octets) {
    std::ranges::copy(octets, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    return *this;
  }

  /// Puts r ‖ s, big endian, as the report holds them.
  SnpReportBytes& put_signature(BytesView r_and_s) {
    const auto s = bytes_.begin() + 0x2E8;
    std::reverse_copy(r_and_s.begin(), r_and_s.begin() + 48, bytes_.begin() + 0x2A0);
    std::reverse_copy(r_and_s.begin() + 48, r_and_s.end(), s);
    return *this;
  }

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

private:
  Bytes bytes_;
};

} // namespace tcfdl::attestation::test
