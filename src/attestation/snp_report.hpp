// The attestation report of SEV-SNP guests (AMD 56860, SEV Secure Nested Paging Firmware ABI, section 7.3), as bytes
// that nobody has checked yet.
#pragma once

#include "base/result.hpp"

#include <tcfdl/bytes.hpp>

namespace tcfdl::attestation {

/// A processor line; each has a root key of its own. Bergamo and Siena are of Genoa's.
enum class SnpProduct : std::uint8_t { kMilan, kGenoa, kTurin };

/// `Milan`, `Genoa`, `Turin`: as in AMD's certificates.
std::string_view snp_product_name(SnpProduct product) noexcept;

/// The line of a CPUID's family and model; nullopt for one that is not known.
std::optional<SnpProduct> snp_product_of_cpuid(std::uint8_t family, std::uint8_t model) noexcept;

/// The line that a certificate's productName (`Milan-B0`, `Turin`) names; nullopt for one that is not known.
std::optional<SnpProduct> snp_product_of_name(std::string_view name) noexcept;

/// Security versions of a platform's parts; `fmc` exists since Turin and is 0 before.
struct SnpTcb {
  std::uint8_t fmc = 0;
  std::uint8_t bootloader = 0;
  std::uint8_t tee = 0;
  std::uint8_t snp = 0;
  std::uint8_t microcode = 0;

  /// Whether every part is at least that of `other`.
  [[nodiscard]] bool at_least(const SnpTcb& other) const noexcept;
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const SnpTcb&, const SnpTcb&) = default;
};

/// TCB_VERSION as it stands in a report; its layout depends on the product.
using SnpTcbBytes = std::array<std::uint8_t, 8>;
SnpTcb snp_tcb(const SnpTcbBytes& bytes, SnpProduct product) noexcept;

/// The key that signed a report: of the chip or loaded by the provider.
enum class SnpSigner : std::uint8_t { kVcek, kVlek };

struct SnpCpuid {
  std::uint8_t family = 0;
  std::uint8_t model = 0;
  std::uint8_t stepping = 0;
};

constexpr std::size_t kSnpReportSize = 1184;
constexpr std::size_t kSnpSignedSize = 0x2A0;

struct UnverifiedSnpReport {
  std::uint32_t version = 0; ///< 2 to 5
  std::uint32_t guest_svn = 0;
  std::uint64_t policy = 0;
  std::array<std::uint8_t, 16> family_id{};
  std::array<std::uint8_t, 16> image_id{};
  std::uint32_t vmpl = 0;
  std::uint32_t signature_algorithm = 0; ///< 1: ECDSA P-384 with SHA-384
  SnpTcbBytes current_tcb{};
  std::uint64_t platform_info = 0;
  std::uint32_t key_info = 0;
  std::array<std::uint8_t, 64> report_data{};
  std::array<std::uint8_t, 48> measurement{};
  std::array<std::uint8_t, 32> host_data{};
  std::array<std::uint8_t, 48> id_key_digest{};
  std::array<std::uint8_t, 48> author_key_digest{};
  std::array<std::uint8_t, 32> report_id{};
  std::array<std::uint8_t, 32> report_id_ma{};
  SnpTcbBytes reported_tcb{};
  std::optional<SnpCpuid> cpuid; ///< since version 3
  std::array<std::uint8_t, 64> chip_id{};
  SnpTcbBytes committed_tcb{};
  SnpTcbBytes launch_tcb{};
  std::optional<std::uint64_t> launch_mitigations;  ///< since version 5
  std::optional<std::uint64_t> current_mitigations; ///< since version 5
  std::array<std::uint8_t, kSnpSignedSize> signed_bytes{};
  std::array<std::uint8_t, 96> signature{}; ///< r ‖ s, big endian

  [[nodiscard]] bool debug() const noexcept { return bit(policy, 19); }
  [[nodiscard]] bool migration_agent() const noexcept { return bit(policy, 18); }
  [[nodiscard]] bool smt_admitted() const noexcept { return bit(policy, 16); }
  /// Whether the platform looked for memory that answers at two addresses (AMD-SB-3015).
  [[nodiscard]] bool alias_check_complete() const noexcept { return bit(platform_info, 5); }
  /// Whether the platform writes zeros in place of signatures (MASK_CHIP_KEY).
  [[nodiscard]] bool signature_masked() const noexcept { return bit(key_info, 1); }
  /// nullopt for a report that none of the known keys signed.
  [[nodiscard]] std::optional<SnpSigner> signer() const noexcept;

private:
  static bool bit(std::uint64_t value, unsigned number) noexcept { return (value >> number & 1U) != 0; }
};

/// Reads exactly one report. INVALID_ARGUMENT for another size, an unknown version, and r or s beyond 48 bytes. Bits
/// and bytes that the specification reserves are not judged: processors in use set some.
Result<UnverifiedSnpReport> parse_snp_report_unverified(BytesView bytes);

} // namespace tcfdl::attestation
