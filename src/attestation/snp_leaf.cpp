#include "attestation/snp_leaf.hpp"

namespace tcfdl::attestation {
namespace {

constexpr std::uint8_t kDerInteger = 0x02;
constexpr std::uint8_t kIa5String = 0x16;
constexpr std::size_t kLongestText = 127;

std::string oid(std::string_view rest) { return fmt::format("1.3.6.1.4.1.3704.1.{}", rest); }

/// The extensions of one certificate; errors name the extension.
class Extensions {
public:
  explicit Extensions(const crypto::Certificate& certificate) : certificate_(certificate) {}

  [[nodiscard]] Result<Bytes> raw(std::string_view number, std::string_view name) const {
    auto value = certificate_.extension(oid(number));
    if (value) return value;
    return make_error(Code::kInvalidArgument, "extension {} ({}): {}", name, oid(number), value.error().message());
  }

  /// An INTEGER from 0 to 255, or a text, in DER.
  [[nodiscard]] Result<std::uint8_t> number(std::string_view number, std::string_view name) const {
    TCFDL_ASSIGN(const auto value, raw(number, name));
    const bool one = value.size() == 3 && value[0] == kDerInteger && value[1] == 1 && value[2] < 0x80;
    const bool two = value.size() == 4 && value[0] == kDerInteger && value[1] == 2 && value[2] == 0 && value[3] >= 0x80;
    if (one || two) return value.back();
    return make_error(Code::kInvalidArgument, "extension {} ({}) is no number from 0 to 255", name, oid(number));
  }
  [[nodiscard]] Result<std::string> text(std::string_view number, std::string_view name) const {
    TCFDL_ASSIGN(const auto value, raw(number, name));
    if (value.size() > 2 && value.size() <= kLongestText + 2 && value[0] == kIa5String &&
        value[1] == value.size() - 2) {
      return std::string(value.begin() + 2, value.end());
    }
    return make_error(Code::kInvalidArgument, "extension {} ({}) is no text of 1 to {} characters", name, oid(number),
                      kLongestText);
  }
  [[nodiscard]] bool absent(std::string_view number) const {
    const auto value = certificate_.extension(oid(number));
    return !value && value.error().code() == Code::kNotFound;
  }

private:
  const crypto::Certificate& certificate_;
};

Result<SnpTcb> read_tcb(const Extensions& extensions, SnpProduct product) {
  SnpTcb tcb;
  TCFDL_ASSIGN(tcb.bootloader, extensions.number("3.1", "blSPL"));
  TCFDL_ASSIGN(tcb.tee, extensions.number("3.2", "teeSPL"));
  TCFDL_ASSIGN(tcb.snp, extensions.number("3.3", "snpSPL"));
  TCFDL_ASSIGN(tcb.microcode, extensions.number("3.8", "ucodeSPL"));
  if (product != SnpProduct::kTurin) return tcb;
  TCFDL_ASSIGN(tcb.fmc, extensions.number("3.9", "fmcSPL"));
  return tcb;
}

Status read_identity(const Extensions& extensions, SnpLeaf& leaf) {
  if (leaf.kind == SnpSigner::kVlek) {
    if (!extensions.absent("4")) return Error(Code::kInvalidArgument, "a VLEK with the extension hwID");
    TCFDL_ASSIGN(leaf.provider, extensions.text("5", "cspID"));
    return {};
  }
  TCFDL_ASSIGN(leaf.hardware_id, extensions.raw("4", "hwID"));
  const std::size_t wanted = leaf.product == SnpProduct::kTurin ? 8 : 64;
  if (leaf.hardware_id.size() == wanted) return {};
  return make_error(Code::kInvalidArgument, "extension hwID has {} bytes, not {}", leaf.hardware_id.size(), wanted);
}

} // namespace

Result<SnpLeaf> read_snp_leaf(const crypto::Certificate& certificate, SnpSigner kind) {
  const Extensions extensions(certificate);
  SnpLeaf leaf;
  leaf.kind = kind;
  TCFDL_ASSIGN(leaf.product_name, extensions.text("2", "productName"));
  const auto product = snp_product_of_name(leaf.product_name);
  if (!product) return make_error(Code::kInvalidArgument, "product '{}' is not known", leaf.product_name);
  leaf.product = *product;
  TCFDL_ASSIGN(leaf.tcb, read_tcb(extensions, leaf.product));
  TCFDL_TRY(read_identity(extensions, leaf));
  return leaf;
}

} // namespace tcfdl::attestation
