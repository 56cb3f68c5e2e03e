#include "attestation/snp_report.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

/// Fields of a buffer whose size was checked; every integer is little endian.
class ReportFields {
public:
  explicit ReportFields(std::span<const std::uint8_t, kSnpReportSize> bytes) : bytes_(bytes) {}

  template <std::size_t Offset, std::size_t Size> [[nodiscard]] std::array<std::uint8_t, Size> octets() const {
    static_assert(Offset + Size <= kSnpReportSize);
    std::array<std::uint8_t, Size> out{};
    std::ranges::copy(bytes_.subspan<Offset, Size>(), out.begin());
    return out;
  }

  template <std::size_t Offset, class Integer> [[nodiscard]] Integer integer() const {
    const auto octets = this->octets<Offset, sizeof(Integer)>();
    Integer value = 0;
    for (std::size_t i = sizeof(Integer); i-- > 0;) value = static_cast<Integer>(value << 8U | octets[i]);
    return value;
  }

private:
  std::span<const std::uint8_t, kSnpReportSize> bytes_;
};

constexpr std::size_t kCoordinate = 48;
constexpr std::size_t kCoordinateField = 72;

/// A number of 72 bytes, little endian, as 48 bytes, big endian.
Status read_number(const std::array<std::uint8_t, kCoordinateField>& field, std::uint8_t* out) {
  const auto fits = std::ranges::all_of(field.begin() + kCoordinate, field.end(), [](auto byte) { return byte == 0; });
  if (!fits) return Error(Code::kInvalidArgument, "a number of the SNP report's signature is beyond 48 bytes");
  std::reverse_copy(field.begin(), field.begin() + kCoordinate, out);
  return {};
}

Status read_signature(const ReportFields& fields, UnverifiedSnpReport& report) {
  TCFDL_TRY(read_number(fields.octets<0x2A0, kCoordinateField>(), report.signature.data()));
  return read_number(fields.octets<0x2E8, kCoordinateField>(), report.signature.data() + kCoordinate);
}

void read_guest(const ReportFields& fields, UnverifiedSnpReport& report) {
  report.guest_svn = fields.integer<0x004, std::uint32_t>();
  report.policy = fields.integer<0x008, std::uint64_t>();
  report.family_id = fields.octets<0x010, 16>();
  report.image_id = fields.octets<0x020, 16>();
  report.vmpl = fields.integer<0x030, std::uint32_t>();
  report.report_data = fields.octets<0x050, 64>();
  report.measurement = fields.octets<0x090, 48>();
  report.host_data = fields.octets<0x0C0, 32>();
  report.id_key_digest = fields.octets<0x0E0, 48>();
  report.author_key_digest = fields.octets<0x110, 48>();
  report.report_id = fields.octets<0x140, 32>();
  report.report_id_ma = fields.octets<0x160, 32>();
}

void read_platform(const ReportFields& fields, UnverifiedSnpReport& report) {
  report.signature_algorithm = fields.integer<0x034, std::uint32_t>();
  report.current_tcb = fields.octets<0x038, 8>();
  report.platform_info = fields.integer<0x040, std::uint64_t>();
  report.key_info = fields.integer<0x048, std::uint32_t>();
  report.reported_tcb = fields.octets<0x180, 8>();
  report.chip_id = fields.octets<0x1A0, 64>();
  report.committed_tcb = fields.octets<0x1E0, 8>();
  report.launch_tcb = fields.octets<0x1F0, 8>();
  if (report.version >= 3) {
    const auto cpuid = fields.octets<0x188, 3>();
    report.cpuid = SnpCpuid{cpuid[0], cpuid[1], cpuid[2]};
  }
  if (report.version >= 5) {
    report.launch_mitigations = fields.integer<0x1F8, std::uint64_t>();
    report.current_mitigations = fields.integer<0x200, std::uint64_t>();
  }
}

constexpr std::array<std::pair<SnpProduct, std::string_view>, 3> kProducts{
    {{SnpProduct::kMilan, "Milan"}, {SnpProduct::kGenoa, "Genoa"}, {SnpProduct::kTurin, "Turin"}}};

} // namespace

std::string_view snp_product_name(SnpProduct product) noexcept {
  return std::ranges::find(kProducts, product, &std::pair<SnpProduct, std::string_view>::first)->second;
}

std::optional<SnpProduct> snp_product_of_cpuid(std::uint8_t family, std::uint8_t model) noexcept {
  if (family == 0x19 && model <= 0x0F) return SnpProduct::kMilan;
  if (family == 0x19 && ((model >= 0x10 && model <= 0x1F) || (model >= 0xA0 && model <= 0xAF))) {
    return SnpProduct::kGenoa;
  }
  if (family == 0x1A && model <= 0x1F) return SnpProduct::kTurin;
  return std::nullopt;
}

std::optional<SnpProduct> snp_product_of_name(std::string_view name) noexcept {
  const auto line = name.substr(0, name.find('-'));
  for (const auto& [product, known] : kProducts) {
    if (known == line) return product;
  }
  return std::nullopt;
}

bool SnpTcb::at_least(const SnpTcb& other) const noexcept {
  return fmc >= other.fmc && bootloader >= other.bootloader && tee >= other.tee && snp >= other.snp &&
         microcode >= other.microcode;
}

std::string SnpTcb::to_string() const {
  return fmt::format("fmc {}, bootloader {}, tee {}, snp {}, microcode {}", fmc, bootloader, tee, snp, microcode);
}

SnpTcb snp_tcb(const SnpTcbBytes& bytes, SnpProduct product) noexcept {
  if (product == SnpProduct::kTurin) return {bytes[0], bytes[1], bytes[2], bytes[3], bytes[7]};
  return {0, bytes[0], bytes[1], bytes[6], bytes[7]};
}

std::optional<SnpSigner> UnverifiedSnpReport::signer() const noexcept {
  switch (key_info >> 2U & 7U) {
  case 0: return SnpSigner::kVcek;
  case 1: return SnpSigner::kVlek;
  default: return std::nullopt;
  }
}

Result<UnverifiedSnpReport> parse_snp_report_unverified(BytesView bytes) {
  if (bytes.size() != kSnpReportSize) {
    return make_error(Code::kInvalidArgument, "an SNP report has {} bytes, not {}", kSnpReportSize, bytes.size());
  }
  const ReportFields fields(bytes.first<kSnpReportSize>());
  UnverifiedSnpReport report;
  report.version = fields.integer<0, std::uint32_t>();
  if (report.version < 2 || report.version > 5) {
    return make_error(Code::kInvalidArgument, "the SNP report has version {}; known are 2 to 5", report.version);
  }
  read_guest(fields, report);
  read_platform(fields, report);
  TCFDL_TRY(read_signature(fields, report));
  report.signed_bytes = fields.octets<0, kSnpSignedSize>();
  return report;
}

} // namespace tcfdl::attestation
