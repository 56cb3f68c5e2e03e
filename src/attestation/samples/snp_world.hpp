// An own AMD: roots, CAs, keys of chips and of providers, and reports that they sign.
#pragma once

#include "attestation/samples/snp_fixture.hpp"
#include "attestation/snp_verifier.hpp"
#include "crypto/samples/test_pki.hpp"

namespace tcfdl::attestation::test {

constexpr UnixSeconds kYear = 31'536'000;
constexpr UnixSeconds kNow = 1'800'000'000;

/// Members are changed before `evidence` and `endorsements`; each starts as what is good.
class SnpWorld {
public:
  using Key = crypto::test::Key;

  explicit SnpWorld(SnpProduct made = SnpProduct::kMilan, SnpSigner by = SnpSigner::kVcek)
      : product(made), signer(by), line(snp_product_name(made)), leaf_name(vlek() ? "SEV-VLEK" : "SEV-VCEK"),
        ca_name(fmt::format("SEV-{}{}", vlek() ? "VLEK-" : "", line)), product_name(line) {
    const Bytes tcb = turin() ? Bytes{1, 2, 3, 4, 0, 0, 0, 200} : Bytes{2, 3, 0, 0, 0, 0, 4, 200};
    report.put(0x180, tcb).put(0x1E0, tcb).put(0x1F0, tcb).put(0x038, tcb);
    if (made == SnpProduct::kGenoa) report.put(0x188, Bytes{0x19, 0x11, 0x01});
    if (turin()) report.put(0x188, Bytes{0x1A, 0x02, 0x01});
    report.put(0x048, vlek() ? std::uint32_t{4} : std::uint32_t{0});
    report.put(0x050, report_data).put(0x090, Bytes(48, 0x4D)).put(0x004, std::uint32_t{7});
    if (!vlek()) hardware_id = Bytes(turin() ? 8 : 64, 0xC1);
    report.put(0x1A0, hardware_id.value_or(Bytes()));
    numbers = {{"3.1", 2}, {"3.2", 3}, {"3.3", 4}, {"3.8", 200}};
    if (turin()) numbers["3.9"] = 1;
    if (vlek()) provider = "CN=provider";
  }

  [[nodiscard]] wire::Evidence evidence() const {
    auto bytes = report;
    bytes.put_signature(signing_key.sign(BytesView(report.bytes()).first(kSnpSignedSize)));
    wire::Evidence made;
    made.set_tee_kind("snp");
    made.set_report(wire::field(bytes.bytes()));
    return made;
  }

  [[nodiscard]] Bytes leaf() const {
    crypto::test::CertificateText text{.subject = leaf_name, .issuer = ca_name, .serial = 0};
    text.not_before = not_before;
    text.not_after = not_after;
    const auto add = [&](const std::string& number, Bytes value) {
      text.extensions.push_back({"1.3.6.1.4.1.3704.1." + number, std::move(value)});
    };
    if (!product_name.empty()) add("2", ia5(product_name));
    for (const auto& [number, value] : numbers) add(number, integer(value));
    if (hardware_id) add("4", *hardware_id);
    if (!provider.empty()) add("5", ia5(provider));
    for (const auto& extra : extensions) text.extensions.push_back(extra);
    return make_certificate(text, certified_key, *ca_key);
  }
  [[nodiscard]] Bytes ca() const {
    return make_certificate(ca_text(ca_name, ark_name(), ca_serial), *ca_key, *ark_key);
  }
  [[nodiscard]] Bytes ark(const Key& key) const {
    return make_certificate(ca_text(ark_name(), ark_name(), 1), key, key);
  }
  [[nodiscard]] Bytes crl() const {
    return make_crl({.issuer = ark_name(), .this_update = crl_from, .next_update = crl_until, .serials = revoked},
                    *crl_key);
  }

  [[nodiscard]] Endorsements endorsements() const {
    Endorsements made;
    made.certificates = {leaf(), ca(), ark(*ark_key)};
    if (with_crl) made.certificates.push_back(crl());
    return made;
  }
  [[nodiscard]] Expectations expected() const { return {.report_data = report_data, .node = {}, .platform_key = {}}; }

  [[nodiscard]] Findings verify() const { return verify(evidence(), endorsements()); }
  [[nodiscard]] Findings verify(const wire::Evidence& made, const Endorsements& given) const {
    return verifier().verify(made, given, expected(), kNow);
  }
  /// With the product's ARK of `rsa(0)` as the root.
  [[nodiscard]] SnpVerifier verifier() const {
    return SnpVerifier({{product, *crypto::Certificate::parse(ark(Key::rsa(0)))}});
  }

  static Bytes integer(std::uint8_t value) { return value < 0x80 ? Bytes{0x02, 1, value} : Bytes{0x02, 2, 0, value}; }
  static Bytes ia5(const std::string& text) {
    Bytes der{0x16, static_cast<std::uint8_t>(text.size())};
    der.insert(der.end(), text.begin(), text.end());
    return der;
  }

  const SnpProduct product;
  const SnpSigner signer;
  const std::string line;
  Bytes report_data = Bytes(64, 0xD4);
  SnpReportBytes report;
  std::string leaf_name, ca_name, product_name, provider;
  std::optional<Bytes> hardware_id;
  std::map<std::string, std::uint8_t> numbers;
  std::vector<crypto::test::Extension> extensions;
  Key signing_key = Key::p384();
  Key certified_key = signing_key;
  const Key* ark_key = &Key::rsa(0);
  const Key* ca_key = &Key::rsa(1);
  const Key* crl_key = &Key::rsa(0);
  UnixSeconds not_before = kNow - kYear, not_after = kNow + kYear;
  UnixSeconds crl_from = kNow - kYear, crl_until = kNow + kYear;
  std::uint64_t ca_serial = 0x10001;
  std::vector<std::uint64_t> revoked;
  bool with_crl = true;

private:
  [[nodiscard]] bool vlek() const { return signer == SnpSigner::kVlek; }
  [[nodiscard]] bool turin() const { return product == SnpProduct::kTurin; }
  [[nodiscard]] std::string ark_name() const { return "ARK-" + line; }
  static crypto::test::CertificateText ca_text(const std::string& subject, const std::string& issuer,
                                               std::uint64_t serial) {
    return {.subject = subject,
            .issuer = issuer,
            .serial = serial,
            .not_before = kNow - 5 * kYear,
            .not_after = kNow + 20 * kYear,
            .ca = true};
  }
};

} // namespace tcfdl::attestation::test
