#include "attestation/samples/intel_world.hpp"

#include "attestation/intel.hpp"
#include "base/encoding.hpp"
#include "base/rfc3339.hpp"
#include "crypto/hash.hpp"

#include <algorithm>
#include <cstdlib>

namespace tcfdl::attestation::test {
namespace {

using crypto::test::CertificateText;

void append(Bytes& out, BytesView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void append_number(Bytes& out, std::size_t value, std::size_t size) {
  for (std::size_t at = 0; at < size; ++at) out.push_back(static_cast<std::uint8_t>(value >> (8 * at)));
}

Bytes element(std::uint8_t tag, const Bytes& content) {
  Bytes out{tag};
  if (content.size() >= 0x80) out.push_back(content.size() < 0x100 ? 0x81 : 0x82);
  if (content.size() >= 0x100) out.push_back(static_cast<std::uint8_t>(content.size() >> 8U));
  out.push_back(static_cast<std::uint8_t>(content.size()));
  append(out, content);
  return out;
}

/// SEQUENCE {OID 1.2.840.113741.1.13.1.<arcs>, value}.
Bytes field(const Bytes& arcs, const Bytes& value) {
  Bytes oid{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
  append(oid, arcs);
  auto content = element(0x06, oid);
  append(content, value);
  return element(0x30, content);
}

Bytes integer(unsigned value) {
  Bytes content;
  if (value > 0xFF) content.push_back(static_cast<std::uint8_t>(value >> 8U));
  content.push_back(static_cast<std::uint8_t>(value));
  if ((content.front() & 0x80U) != 0) content.insert(content.begin(), 0);
  return element(0x02, content);
}

CertificateText text(const char* subject, const char* issuer, std::uint64_t serial, bool ca) {
  return {.subject = subject,
          .issuer = issuer,
          .serial = serial,
          .not_before = kNow - 100 * kDay,
          .not_after = kNow + 100 * kDay,
          .ca = ca};
}

std::string components(unsigned value) {
  std::string list;
  for (int at = 0; at < 16; ++at) list += fmt::format(R"({}{{"svn":{}}})", at == 0 ? "" : ",", value);
  return "[" + list + "]";
}

std::string level(bool tdx, unsigned svn, unsigned pcesvn, const char* status, const char* advisory) {
  const auto more = tdx ? fmt::format(R"(,"tdxtcbcomponents":{})", components(svn)) : "";
  return fmt::format(
      R"({{"tcb":{{"sgxtcbcomponents":{},"pcesvn":{}{}}},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"{}"{}}})",
      components(svn), pcesvn, more, status,
      std::string_view(advisory).empty() ? "" : fmt::format(R"(,"advisoryIDs":["{}"])", advisory));
}

std::string dates() {
  return fmt::format(R"("issueDate":"{}","nextUpdate":"{}")", to_rfc3339(kNow - kDay), to_rfc3339(kNow + kDay));
}

std::string make_tcb_info(bool tdx) {
  const std::string zeros(96, '0');
  const auto identity =
      fmt::format(R"("mrsigner":"{}","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF")", zeros);
  const auto modules = fmt::format(
      R"("tdxModule":{{{0}}},"tdxModuleIdentities":[{{"id":"TDX_01",{0},"tcbLevels":[)"
      R"({{"tcb":{{"isvsvn":4}},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"UpToDate"}},)"
      R"({{"tcb":{{"isvsvn":2}},"tcbDate":"2023-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["SA-M"]}}]}}],)",
      identity);
  return fmt::format(
      R"({{"id":"{}","version":3,{},"fmspc":"00906ED50000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":17,{}"tcbLevels":[{},{},{}]}})",
      tdx ? "TDX" : "SGX", dates(), tdx ? modules : "", level(tdx, 5, 13, "UpToDate", ""),
      level(tdx, 3, 11, "OutOfDate", "SA-P"), level(tdx, 1, 5, "Revoked", "SA-R"));
}

std::string make_qe_identity(bool tdx) {
  return fmt::format(
      R"({{"id":"{}","version":2,{},"tcbEvaluationDataNumber":16,"miscselect":"00000000","miscselectMask":"FFFFFFFF",)"
      R"("attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000",)"
      R"("mrsigner":"{}","isvprodid":{},"tcbLevels":[)"
      R"({{"tcb":{{"isvsvn":8}},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"UpToDate"}},)"
      R"({{"tcb":{{"isvsvn":6}},"tcbDate":"2021-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["SA-Q"]}}]}})",
      tdx ? "TD_QE" : "QE", dates(), to_hex(Bytes(32, 0x51)), tdx ? 2 : 1);
}

Bytes make_qe_report(bool tdx) {
  Bytes report(384);
  report[48] = 0x15;
  std::fill_n(report.begin() + 128, 32, 0x51);
  report[256] = tdx ? 2 : 1;
  report[258] = 8;
  return report;
}

Bytes make_body(bool tdx, bool td15) {
  if (!tdx) {
    Bytes body(384);
    body[48] = 0x05;
    std::fill_n(body.begin() + 64, 32, 0x11);
    std::fill_n(body.begin() + 128, 32, 0x22);
    body[256] = 9;
    body[258] = 3;
    std::fill_n(body.begin() + 320, 64, 0x33);
    return body;
  }
  Bytes body(td15 ? 648 : 584);
  std::fill_n(body.begin(), 16, 5);
  body[1] = 1;
  body[123] = 0x10;
  std::fill_n(body.begin() + 136, 48, 0x11);
  std::fill_n(body.begin() + 328, 48, 0x44);
  std::fill_n(body.begin() + 520, 64, 0x33);
  return body;
}

Bytes make_header(unsigned version, std::size_t body_size) {
  Bytes header;
  append_number(header, version, 2);
  append_number(header, 2, 2);
  append_number(header, version == 3 ? 0 : 0x81, 4);
  append_number(header, 0, 4);
  append(header, from_hex("939a7233f79c4ca9940a0db3957f0607").value());
  header.resize(48);
  if (version != 5) return header;
  append_number(header, body_size == 648 ? 3 : 2, 2);
  append_number(header, body_size, 4);
  return header;
}

Bytes assemble(unsigned version, const QuoteParts& parts) {
  Bytes qe;
  append(qe, parts.qe_report);
  append(qe, parts.qe_report_signature);
  append_number(qe, parts.authentication_data.size(), 2);
  append(qe, parts.authentication_data);
  append_number(qe, 5, 2);
  append_number(qe, parts.certificates.size(), 4);
  append(qe, as_bytes(parts.certificates));
  Bytes data = parts.signature;
  append(data, parts.attestation_key);
  if (version != 3) {
    append_number(data, 6, 2);
    append_number(data, qe.size(), 4);
  }
  append(data, qe);
  Bytes quote = parts.header;
  append(quote, parts.body);
  append_number(quote, data.size(), 4);
  append(quote, data);
  append(quote, parts.trailing);
  return quote;
}

Bytes signed_json(const char* member, const std::string& body, const crypto::test::Key& key) {
  return to_bytes(fmt::format(R"({{"{}":{},"signature":"{}"}})", member, body, to_hex(key.sign(as_bytes(body)))));
}

} // namespace

const IntelKeys& IntelKeys::get() {
  static const IntelKeys kKeys;
  return kKeys;
}

IntelWorld::IntelWorld(unsigned quote_version, bool td15)
    : version(quote_version), body(make_body(quote_version != 3, td15)), qe_report(make_qe_report(quote_version != 3)),
      tcb_info(make_tcb_info(quote_version != 3)), qe_identity(make_qe_identity(quote_version != 3)),
      root_text(text("Intel SGX Root CA", "Intel SGX Root CA", 1, true)),
      ca_text(text("Intel SGX PCK Platform CA", "Intel SGX Root CA", 2, true)),
      pck_text(text("Intel SGX PCK Certificate", "Intel SGX PCK Platform CA", 3, false)),
      signer_text(text("Intel SGX TCB Signing", "Intel SGX Root CA", 4, false)),
      pck_crl_text{.issuer = "Intel SGX PCK Platform CA", .this_update = kNow - kDay, .next_update = kNow + kDay},
      root_crl_text{.issuer = "Intel SGX Root CA", .this_update = kNow - kDay, .next_update = kNow + kDay} {
  pck.fmspc = from_hex("00906ed50000").value();
  pck.pceid = Bytes(2);
  pck.ppid = Bytes(16, 0x77);
  pck.cpusvn = Bytes(16, 0x05);
  pck.components.fill(5);
  pck.pcesvn = 13;
}

Bytes IntelWorld::pck_extension() const {
  Bytes tcb;
  for (std::size_t at = 0; at < pck.components.size(); ++at) {
    append(tcb, field({2, static_cast<std::uint8_t>(at + 1)}, integer(pck.components.at(at))));
  }
  append(tcb, field({2, 17}, integer(pck.pcesvn)));
  append(tcb, field({2, 18}, element(0x04, pck.cpusvn)));
  Bytes all = field({1}, element(0x04, pck.ppid));
  append(all, field({2}, element(0x30, tcb)));
  append(all, field({3}, element(0x04, pck.pceid)));
  append(all, field({4}, element(0x04, pck.fmspc)));
  append(all, field({5}, element(0x0a, {0})));
  return element(0x30, all);
}

Bytes IntelWorld::quote() const {
  const auto& keys = IntelKeys::get();
  QuoteParts parts;
  parts.header = make_header(version, body.size());
  parts.body = body;
  auto text = parts.header;
  append(text, parts.body);
  parts.signature = keys.attestation.sign(text);
  const auto point = keys.attestation.point();
  parts.attestation_key.assign(point.begin() + 1, point.end());
  parts.authentication_data = Bytes(32, 0x61);
  parts.qe_report = qe_report;
  if (bind_key) {
    const auto digest = crypto::sha256({parts.attestation_key, parts.authentication_data});
    std::ranges::copy(digest, parts.qe_report.begin() + 320);
  }
  parts.qe_report_signature = keys.pck.sign(parts.qe_report);
  auto leaf = pck_text;
  leaf.extensions.push_back({std::string(kPckExtension), pck_extension()});
  parts.certificates = crypto::test::to_pem(make_certificate(leaf, keys.pck, keys.ca)) +
                       crypto::test::to_pem(make_certificate(ca_text, keys.ca, keys.root)) +
                       crypto::test::to_pem(make_certificate(root_text, keys.root, keys.root));
  damage(parts);
  return assemble(version, parts);
}

wire::Evidence IntelWorld::evidence() const {
  wire::Evidence evidence;
  evidence.set_tee_kind(version == 3 ? "sgx" : "tdx");
  evidence.set_report(std::string(as_text(quote())));
  return evidence;
}

Endorsements IntelWorld::endorsements() const {
  const auto& keys = IntelKeys::get();
  const auto chain = crypto::test::to_pem(make_certificate(signer_text, keys.signer, keys.root)) +
                     crypto::test::to_pem(make_certificate(root_text, keys.root, keys.root));
  Endorsements made;
  made.collateral["tcb_signing_chain.pem"] = to_bytes(chain);
  made.collateral["tcb_info.json"] = signed_json("tcbInfo", tcb_info, json_key);
  made.collateral["qe_identity.json"] = signed_json("enclaveIdentity", qe_identity, json_key);
  made.collateral["pck_crl.der"] = make_crl(pck_crl_text, keys.ca);
  made.collateral["root_ca_crl.der"] = make_crl(root_crl_text, keys.root);
  damage_files(made.collateral);
  return made;
}

Findings IntelWorld::verify() const {
  const IntelVerifier verifier(version == 3 ? kSgx : kTdx, IntelKeys::get().root.point());
  return verifier.verify(evidence(), endorsements(), expected(), now);
}

Expectations IntelWorld::expected() { return {.report_data = Bytes(64, 0x33), .node = {}, .platform_key = {}}; }

void IntelWorld::replace(std::string& text, const std::string& old, const std::string& fresh) {
  const auto at = text.find(old);
  if (at == std::string::npos) std::abort();
  text.replace(at, old.size(), fresh);
}

} // namespace tcfdl::attestation::test
