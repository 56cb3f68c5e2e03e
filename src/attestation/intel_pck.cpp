#include "attestation/intel_pck.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <map>

namespace tcfdl::attestation {
namespace {

constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kOctets = 0x04;
constexpr std::uint8_t kOid = 0x06;
constexpr std::uint8_t kSequence = 0x30;

/// 1.2.840.113741.1.13.1 in DER; the fields' OIDs go on from there, each arc in one byte.
constexpr std::array<std::uint8_t, 10> kArc = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, 0x00};
constexpr std::size_t kArcSize = 9;

struct Element {
  std::uint8_t tag = 0;
  BytesView content;
};

Error malformed(std::string_view why) {
  return make_error(Code::kInvalidArgument, "the PCK certificate's SGX extension {}", why);
}

/// Takes one element of DER from the front; lengths in their shortest form, below 64 KiB.
Result<Element> take(BytesView& bytes) {
  if (bytes.size() < 2) return malformed("ends early");
  const auto tag = bytes[0];
  std::size_t length = bytes[1];
  std::size_t header = 2;
  if (length >= 0x80) {
    const std::size_t extra = length - 0x80;
    if (extra < 1 || extra > 2 || bytes.size() < header + extra) return malformed("has a length that is too long");
    length = 0;
    for (std::size_t at = 0; at < extra; ++at) length = length << 8U | bytes[header + at];
    if (length < (extra == 1 ? 0x80U : 0x100U)) return malformed("has a length that is not in its shortest form");
    header += extra;
  }
  if (length > bytes.size() - header) return malformed("has a length beyond its end");
  const Element element{.tag = tag, .content = bytes.subspan(header, length)};
  bytes = bytes.subspan(header + length);
  return element;
}

using Fields = std::map<std::uint8_t, Element>;

/// SEQUENCE of SEQUENCE {OID, value}, by the last arc of the OID, which goes on from `prefix`.
Result<Fields> fields_of(BytesView sequence, BytesView prefix) {
  Fields fields;
  while (!sequence.empty()) {
    TCFDL_ASSIGN(auto entry, take(sequence));
    if (entry.tag != kSequence) return malformed("has an entry that is no sequence");
    TCFDL_ASSIGN(const auto oid, take(entry.content));
    TCFDL_ASSIGN(const auto value, take(entry.content));
    const bool known = oid.tag == kOid && oid.content.size() == prefix.size() + 1 &&
                       std::ranges::equal(oid.content.first(prefix.size()), prefix);
    if (!known || !entry.content.empty()) return malformed("has an entry of another form");
    if (!fields.emplace(oid.content.back(), value).second) {
      return malformed(fmt::format("has field {} twice", oid.content.back()));
    }
  }
  return fields;
}

Result<BytesView> content(const Fields& fields, std::uint8_t arc, std::uint8_t tag) {
  const auto found = fields.find(arc);
  if (found != fields.end() && found->second.tag == tag) return found->second.content;
  return malformed(fmt::format("has no field {} of its type", arc));
}

Result<Bytes> octets(const Fields& fields, std::uint8_t arc, std::size_t size) {
  TCFDL_ASSIGN(const auto bytes, content(fields, arc, kOctets));
  if (bytes.size() == size) return Bytes(bytes.begin(), bytes.end());
  return malformed(fmt::format("has {} bytes in field {}, not {}", bytes.size(), arc, size));
}

/// A number from 0 to `most`, which is below 65536.
Result<unsigned> number(const Fields& fields, std::uint8_t arc, unsigned most) {
  TCFDL_ASSIGN(const auto bytes, content(fields, arc, kInteger));
  if (bytes.empty() || bytes.size() > 3 || (bytes[0] & 0x80U) != 0) return malformed("has a number out of range");
  unsigned value = 0;
  for (const auto byte : bytes) value = value << 8U | byte;
  if (value <= most) return value;
  return malformed("has a number out of range");
}

Status parse_tcb(BytesView sequence, PckFacts& facts) {
  constexpr std::uint8_t kPcesvn = 17;
  constexpr std::uint8_t kCpusvn = 18;
  auto prefix = kArc;
  prefix.back() = 2;
  TCFDL_ASSIGN(const auto fields, fields_of(sequence, prefix));
  for (std::size_t at = 0; at < facts.components.size(); ++at) {
    TCFDL_ASSIGN(const auto svn, number(fields, static_cast<std::uint8_t>(at + 1), 0xFF));
    facts.components[at] = static_cast<std::uint8_t>(svn);
  }
  TCFDL_ASSIGN(const auto pcesvn, number(fields, kPcesvn, 0xFFFF));
  facts.pcesvn = static_cast<std::uint16_t>(pcesvn);
  TCFDL_ASSIGN(facts.cpusvn, octets(fields, kCpusvn, 16));
  return {};
}

} // namespace

Result<PckFacts> PckFacts::parse(BytesView extension) {
  TCFDL_ASSIGN(const auto outer, take(extension));
  if (outer.tag != kSequence || !extension.empty()) return malformed("is no single sequence");
  TCFDL_ASSIGN(const auto fields, fields_of(outer.content, BytesView(kArc).first(kArcSize)));
  PckFacts facts;
  TCFDL_ASSIGN(facts.ppid, octets(fields, 1, 16));
  TCFDL_ASSIGN(const auto tcb, content(fields, 2, kSequence));
  TCFDL_TRY(parse_tcb(tcb, facts));
  TCFDL_ASSIGN(facts.pceid, octets(fields, 3, 2));
  TCFDL_ASSIGN(facts.fmspc, octets(fields, 4, 6));
  return facts;
}

} // namespace tcfdl::attestation
