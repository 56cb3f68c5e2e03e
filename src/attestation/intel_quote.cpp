#include "attestation/intel_quote.hpp"

#include "attestation/byte_reader.hpp"
#include "base/encoding.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::size_t kSgxBodySize = 384;
constexpr std::size_t kTdBodySize = 584;
constexpr std::size_t kTd15BodySize = 648;
constexpr std::size_t kSignatureSize = 64;
constexpr std::uint64_t kEcdsaP256 = 2;
constexpr std::uint64_t kTdxType = 0x81;
constexpr std::uint64_t kPckChain = 5;
constexpr std::uint64_t kQeReport = 6;
constexpr std::uint64_t kTdBody = 2;
constexpr std::uint64_t kTd15Body = 3;
/// Intel's quoting enclaves (vendor id of the header).
constexpr std::array<std::uint8_t, 16> kIntelQe = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

Status expect(std::uint64_t value, std::uint64_t wanted, std::string_view what) {
  if (value == wanted) return {};
  return make_error(Code::kInvalidArgument, "{} is {}, not {}", what, value, wanted);
}

Status parse_header(ByteReader& reader, IntelQuote& quote) {
  TCFDL_ASSIGN(quote.version, reader.number(2, "the version"));
  if (quote.version < 3 || quote.version > 5) {
    return make_error(Code::kInvalidArgument, "the quote's version is {}; 3, 4 and 5 are known", quote.version);
  }
  TCFDL_ASSIGN(const auto key_type, reader.number(2, "the attestation key type"));
  TCFDL_TRY(expect(key_type, kEcdsaP256, "the attestation key type"));
  TCFDL_ASSIGN(const auto tee_type, reader.number(4, "the TEE type"));
  quote.tdx = quote.version != 3;
  TCFDL_TRY(expect(tee_type, quote.tdx ? kTdxType : 0, "the TEE type"));
  TCFDL_TRY(reader.take(4, "QE and PCE versions"));
  TCFDL_ASSIGN(const auto vendor, reader.take(kIntelQe.size(), "the QE's vendor"));
  TCFDL_TRY(reader.take(20, "user data"));
  if (std::ranges::equal(vendor, kIntelQe)) return {};
  return make_error(Code::kInvalidArgument, "the quoting enclave's vendor is {}, not Intel", to_hex(vendor));
}

/// The size of the body; version 5 says it itself.
Result<std::size_t> body_size(ByteReader& reader, const IntelQuote& quote) {
  if (quote.version == 3) return kSgxBodySize;
  if (quote.version == 4) return kTdBodySize;
  TCFDL_ASSIGN(const auto type, reader.number(2, "the body type"));
  TCFDL_ASSIGN(const auto size, reader.number(4, "the body size"));
  if (type != kTdBody && type != kTd15Body) {
    return make_error(Code::kInvalidArgument, "the body type is {}; 2 and 3 are known", type);
  }
  const auto wanted = type == kTdBody ? kTdBodySize : kTd15BodySize;
  TCFDL_TRY(expect(size, wanted, "the body size"));
  return wanted;
}

/// What vouches for the attestation key: the QE's report, and the chain of the key that signed it.
Status parse_qe_data(ByteReader reader, IntelQuote& quote) {
  TCFDL_ASSIGN(quote.qe_report, reader.take(kSgxBodySize, "the QE report"));
  TCFDL_ASSIGN(quote.qe_report_signature, reader.take(kSignatureSize, "the QE report's signature"));
  TCFDL_ASSIGN(quote.qe_authentication_data, reader.sized(2, "QE authentication data"));
  TCFDL_ASSIGN(const auto type, reader.number(2, "the certification data type"));
  TCFDL_TRY(expect(type, kPckChain, "the certification data type"));
  TCFDL_ASSIGN(quote.certificates, reader.sized(4, "certification data"));
  return expect(reader.rest().size(), 0, "the number of bytes after the certification data");
}

Status parse_signature_data(ByteReader reader, IntelQuote& quote) {
  TCFDL_ASSIGN(quote.signature, reader.take(kSignatureSize, "the quote's signature"));
  TCFDL_ASSIGN(quote.attestation_key, reader.take(kSignatureSize, "the attestation key"));
  if (!quote.tdx) return parse_qe_data(reader, quote);
  TCFDL_ASSIGN(const auto type, reader.number(2, "the outer certification data type"));
  TCFDL_TRY(expect(type, kQeReport, "the outer certification data type"));
  TCFDL_ASSIGN(const auto inner, reader.sized(4, "outer certification data"));
  TCFDL_TRY(expect(reader.rest().size(), 0, "the number of bytes after the outer certification data"));
  return parse_qe_data(ByteReader(inner), quote);
}

} // namespace

SgxReport SgxReport::of(std::span<const std::uint8_t, kSgxBodySize> report) {
  const BytesView bytes = report;
  const auto number = [&](std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] | static_cast<unsigned>(bytes[at + 1]) << 8U);
  };
  return {.cpusvn = bytes.subspan(0, 16),
          .miscselect = bytes.subspan(16, 4),
          .attributes = bytes.subspan(48, 16),
          .mrenclave = bytes.subspan(64, 32),
          .mrsigner = bytes.subspan(128, 32),
          .isv_prod_id = number(256),
          .isv_svn = number(258),
          .report_data = bytes.subspan(320, 64)};
}

TdReport TdReport::of(BytesView body) {
  constexpr std::size_t kDigest = 48;
  const bool later = body.size() == kTd15BodySize;
  return {.tee_tcb_svn = body.subspan(0, 16),
          .mr_seam = body.subspan(16, kDigest),
          .mr_signer_seam = body.subspan(64, kDigest),
          .seam_attributes = body.subspan(112, 8),
          .td_attributes = body.subspan(120, 8),
          .xfam = body.subspan(128, 8),
          .mr_td = body.subspan(136, kDigest),
          .mr_config_id = body.subspan(184, kDigest),
          .mr_owner = body.subspan(232, kDigest),
          .mr_owner_config = body.subspan(280, kDigest),
          .rtmr = {body.subspan(328, kDigest), body.subspan(376, kDigest), body.subspan(424, kDigest),
                   body.subspan(472, kDigest)},
          .report_data = body.subspan(520, 64),
          .tee_tcb_svn_2 = later ? body.subspan(584, 16) : BytesView(),
          .mr_service_td = later ? body.subspan(600, kDigest) : BytesView()};
}

Result<IntelQuote> IntelQuote::parse(BytesView bytes) {
  if (bytes.size() > kLargestQuote) {
    return make_error(Code::kInvalidArgument, "{} bytes are too many for a quote", bytes.size());
  }
  IntelQuote quote;
  ByteReader reader(bytes);
  TCFDL_TRY(parse_header(reader, quote));
  TCFDL_ASSIGN(const auto size, body_size(reader, quote));
  TCFDL_ASSIGN(quote.body, reader.take(size, "the body"));
  quote.signed_part = bytes.first(bytes.size() - reader.rest().size());
  TCFDL_ASSIGN(const auto signature_data, reader.sized(4, "signature data"));
  quote.trailing = reader.rest().size();
  TCFDL_TRY(parse_signature_data(ByteReader(signature_data), quote));
  return quote;
}

} // namespace tcfdl::attestation
