#include "attestation/snp_certificates.hpp"

#include "crypto/pem.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::size_t kGuidSize = 16;
constexpr std::size_t kEntrySize = 24;
constexpr std::size_t kMostEntries = 16;

using Guid = std::array<std::uint8_t, kGuidSize>;

struct KnownGuid {
  Guid guid; ///< octets in the order of their text form (RFC 4122)
  SnpTableKind kind;
};

constexpr std::array<KnownGuid, 5> kKnown{{
    {{0xC0, 0xB4, 0x06, 0xA4, 0xA8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3F, 0xB6, 0x01, 0x4C, 0xD0, 0xAE},
     SnpTableKind::kArk},
    {{0x4A, 0xB7, 0xB3, 0x79, 0xBB, 0xAC, 0x4F, 0xE4, 0xA0, 0x2F, 0x05, 0xAE, 0xF3, 0x27, 0xC7, 0x82},
     SnpTableKind::kAsk},
    {{0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64, 0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD},
     SnpTableKind::kVcek},
    {{0xA8, 0x07, 0x4B, 0xC2, 0xA2, 0x5A, 0x48, 0x3E, 0xAA, 0xE6, 0x39, 0xC0, 0x45, 0xA0, 0xB8, 0xA1},
     SnpTableKind::kVlek},
    {{0x92, 0xF8, 0x1B, 0xC3, 0x58, 0x11, 0x4D, 0x3D, 0x97, 0xFF, 0xD1, 0x9F, 0x88, 0xDC, 0x67, 0xEA},
     SnpTableKind::kCrl},
}};

bool all_zero(BytesView bytes) {
  return std::ranges::all_of(bytes, [](auto byte) { return byte == 0; });
}

SnpTableKind kind_of(BytesView guid) {
  const auto* found =
      std::ranges::find_if(kKnown, [&](const auto& known) { return std::ranges::equal(known.guid, guid); });
  return found == kKnown.end() ? SnpTableKind::kOther : found->kind;
}

std::size_t little_endian_32(BytesView bytes) {
  return std::size_t{bytes[0]} | std::size_t{bytes[1]} << 8U | std::size_t{bytes[2]} << 16U |
         std::size_t{bytes[3]} << 24U;
}

/// The number of entries before the zero GUID.
Result<std::size_t> count_entries(BytesView bytes) {
  for (std::size_t count = 0; count <= kMostEntries; ++count) {
    const auto at = count * kEntrySize;
    if (bytes.size() < at + kGuidSize) break;
    if (all_zero(bytes.subspan(at, kGuidSize))) return count;
  }
  return make_error(Code::kInvalidArgument, "the SNP certificate table has no end within {} bytes and {} entries",
                    bytes.size(), kMostEntries);
}

Result<SnpTableEntry> read_entry(BytesView bytes, std::size_t number, std::size_t header_end) {
  const auto entry = bytes.subspan(number * kEntrySize, kEntrySize);
  const auto offset = little_endian_32(entry.subspan(kGuidSize, 4));
  const auto length = little_endian_32(entry.subspan(kGuidSize + 4, 4));
  if (length == 0 || offset < header_end || offset > bytes.size() || length > bytes.size() - offset) {
    return make_error(Code::kInvalidArgument,
                      "entry {} of the SNP certificate table is {} bytes at {}, which is not within the {} bytes after "
                      "its {} of entries",
                      number + 1, length, offset, bytes.size(), header_end);
  }
  return SnpTableEntry{kind_of(entry.first(kGuidSize)), bytes.subspan(offset, length)};
}

/// A table begins with a GUID, which is neither text nor the head of a DER sequence.
bool looks_like_table(BytesView file) {
  const bool der = file.size() > 1 && file[0] == 0x30 && (file[1] & 0x80U) != 0;
  const auto start = file.first(std::min(file.size(), kGuidSize));
  const bool text = std::ranges::all_of(start, [](auto byte) { return byte >= 0x20 ? byte < 0x7F : byte >= '\t'; });
  return !der && !text;
}

} // namespace

Result<std::vector<SnpTableEntry>> parse_snp_table(BytesView bytes) {
  if (bytes.size() > crypto::kLargestBundle) {
    return make_error(Code::kInvalidArgument, "{} bytes are too many for an SNP certificate table", bytes.size());
  }
  std::vector<SnpTableEntry> entries;
  if (all_zero(bytes)) return entries;
  TCFDL_ASSIGN(const auto count, count_entries(bytes));
  entries.reserve(count);
  for (std::size_t number = 0; number < count; ++number) {
    TCFDL_ASSIGN(entries.emplace_back(), read_entry(bytes, number, count * kEntrySize + kGuidSize));
  }
  return entries;
}

Status SnpCertificates::add(BytesView file) {
  if (file.empty()) return Error(Code::kInvalidArgument, "the file of certificates is empty");
  if (looks_like_table(file)) return add_table(file);
  const auto holds = [text = as_text(file)](std::string_view line) {
    return text.find(line) != std::string_view::npos;
  };
  if (holds("-----BEGIN X509 CRL-----")) {
    TCFDL_TRY(add_crl(file));
    if (!holds("-----BEGIN CERTIFICATE-----")) return {};
  }
  auto added = add_certificates(file);
  if (added || crypto::is_pem(file)) return added;
  return add_crl(file) ? Status() : added;
}

Status SnpCertificates::add_table(BytesView table) {
  TCFDL_ASSIGN(const auto entries, parse_snp_table(table));
  for (const auto& entry : entries) {
    if (entry.kind == SnpTableKind::kOther) continue;
    TCFDL_TRY(entry.kind == SnpTableKind::kCrl ? add_crl(entry.content) : add_certificates(entry.content));
  }
  return {};
}

Status SnpCertificates::add_certificates(BytesView bytes) {
  TCFDL_ASSIGN(auto read, crypto::parse_certificates(bytes));
  if (certificates_.size() + read.size() > crypto::kMostCertificates) {
    return make_error(Code::kInvalidArgument, "more than {} certificates", crypto::kMostCertificates);
  }
  certificates_.insert(certificates_.end(), std::move_iterator(read.begin()), std::move_iterator(read.end()));
  return {};
}

Status SnpCertificates::add_crl(BytesView bytes) {
  if (crls_.size() == crypto::kMostCertificates) {
    return make_error(Code::kInvalidArgument, "more than {} lists of revocations", crypto::kMostCertificates);
  }
  TCFDL_ASSIGN(auto crl, crypto::Crl::parse(bytes));
  crls_.push_back(std::move(crl));
  return {};
}

} // namespace tcfdl::attestation
