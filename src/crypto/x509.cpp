#include "crypto/x509.hpp"

#include "base/rfc3339.hpp"
#include "crypto/pem.hpp"
#include "crypto/x509_native.hpp"

#include <algorithm>
#include <openssl/x509v3.h>

namespace tcfdl::crypto {
namespace {

Bytes public_key_info_of(const X509* certificate) {
  auto* const key = X509_get_X509_PUBKEY(certificate);
  return x509::encoded(key, i2d_X509_PUBKEY);
}

/// The curve and point of an EC key; nothing for other keys.
std::optional<std::pair<Curve, Bytes>> point_of(const X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  std::array<char, 32> group{};
  std::size_t size = 0;
  if (key == nullptr || !succeeded(EVP_PKEY_get_group_name(key, group.data(), group.size(), &size))) return {};
  const std::string_view name(group.data(), size);
  if (name != "prime256v1" && name != "secp384r1") return {};
  const auto curve = name == "prime256v1" ? Curve::kP256 : Curve::kP384;
  Bytes point(1 + 2 * coordinate_size(curve));
  const bool good = succeeded(EVP_PKEY_get_octet_string_param(key, "pub", point.data(), point.size(), &size)) &&
                    size == point.size() && point[0] == POINT_CONVERSION_UNCOMPRESSED;
  if (!good) return {};
  return std::pair(curve, std::move(point));
}

Error unlike(const Certificate& certificate, std::string_view why) {
  return make_error(Code::kUnauthenticated, "certificate '{}': {}", certificate.common_name(), why);
}

} // namespace

Result<Certificate::Facts> Certificate::read(X509* native, BytesView der) {
  Facts facts;
  facts.subject = x509::text_of(X509_get_subject_name(native));
  facts.issuer = x509::text_of(X509_get_issuer_name(native));
  facts.common_name = x509::common_name_of(X509_get_subject_name(native));
  facts.issuer_common_name = x509::common_name_of(X509_get_issuer_name(native));
  TCFDL_ASSIGN(facts.serial, x509::serial_of(X509_get0_serialNumber(native)));
  TCFDL_ASSIGN(facts.validity.not_before, x509::seconds_of(X509_get0_notBefore(native)));
  TCFDL_ASSIGN(facts.validity.not_after, x509::seconds_of(X509_get0_notAfter(native)));
  facts.public_key_info = public_key_info_of(native);
  if (auto point = point_of(native)) {
    facts.curve = point->first;
    facts.point = std::move(point->second);
  }
  const auto flags = X509_get_extension_flags(native);
  if ((flags & EXFLAG_INVALID) != 0) return Error(Code::kInvalidArgument, "its extensions are malformed");
  facts.unknown_critical = (flags & EXFLAG_CRITICAL) != 0;
  facts.der.assign(der.begin(), der.end());
  return facts;
}

Result<Certificate> Certificate::from_der(BytesView der) {
  const auto* at = der.data();
  std::shared_ptr<X509> native(d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  if (!native || at != der.data() + der.size()) {
    ERR_clear_error();
    return Error(Code::kInvalidArgument, "the bytes are no X.509 certificate in DER or PEM");
  }
  auto facts = read(native.get(), der);
  ERR_clear_error();
  if (!facts) return facts.error().within("certificate");
  return Certificate(std::move(native), std::make_shared<const Facts>(*std::move(facts)));
}

Result<Certificate> Certificate::parse(BytesView bytes) {
  TCFDL_ASSIGN(auto all, parse_certificates(bytes));
  if (all.size() == 1) return std::move(all.front());
  return make_error(Code::kInvalidArgument, "there are {} certificates, not one", all.size());
}

Result<Bytes> Certificate::extension(const std::string& oid) const {
  const std::unique_ptr<ASN1_OBJECT, void (*)(ASN1_OBJECT*)> object(OBJ_txt2obj(oid.c_str(), 1), ASN1_OBJECT_free);
  if (!object) return make_error(Code::kInvalidArgument, "'{}' is no dotted OID", oid);
  const int at = X509_get_ext_by_OBJ(native_.get(), object.get(), -1);
  if (at < 0) return make_error(Code::kNotFound, "certificate '{}' has no extension {}", common_name(), oid);
  if (X509_get_ext_by_OBJ(native_.get(), object.get(), at) >= 0) {
    return make_error(Code::kInvalidArgument, "certificate '{}' has extension {} twice", common_name(), oid);
  }
  const auto* const value = X509_EXTENSION_get_data(X509_get_ext(native_.get(), at));
  const auto* const data = ASN1_STRING_get0_data(value);
  return Bytes(data, data + ASN1_STRING_length(value));
}

Status Certificate::check_ca(std::size_t below) const {
  const auto flags = X509_get_extension_flags(native_.get());
  if ((flags & EXFLAG_CA) == 0) {
    return make_error(Code::kPermissionDenied, "certificate '{}' is not one of a CA", common_name());
  }
  if ((X509_get_key_usage(native_.get()) & KU_KEY_CERT_SIGN) == 0) {
    return make_error(Code::kPermissionDenied, "certificate '{}' may not sign certificates", common_name());
  }
  const long most = X509_get_pathlen(native_.get());
  if (most < 0 || below <= static_cast<std::size_t>(most)) return {};
  return make_error(Code::kPermissionDenied, "certificate '{}' may have {} CAs below it, it has {}", common_name(),
                    most, below);
}

Status Certificate::check_issued_by(const Certificate& issuer) const {
  if (X509_NAME_cmp(X509_get_issuer_name(native_.get()), X509_get_subject_name(issuer.native_.get())) != 0) {
    return unlike(*this, fmt::format("its issuer is '{}', not '{}'", this->issuer(), issuer.subject()));
  }
  if (facts_->unknown_critical) return unlike(*this, "it has a critical extension that is not known here");
  TCFDL_TRY(issuer.check_ca(0));
  int digest = NID_undef;
  if (X509_get_signature_info(native_.get(), &digest, nullptr, nullptr, nullptr) != 1 || !x509::is_strong(digest)) {
    ERR_clear_error();
    return unlike(*this, "its signature uses no hash of SHA-256, SHA-384 or SHA-512");
  }
  EVP_PKEY* const key = X509_get0_pubkey(issuer.native_.get());
  if (key != nullptr && succeeded(X509_verify(native_.get(), key))) return {};
  ERR_clear_error();
  return unlike(*this, fmt::format("its signature is not one of '{}'", issuer.common_name()));
}

Status Certificate::verify_ecdsa(BytesView message, BytesView r_and_s) const {
  const auto kind = curve();
  if (!kind) return unlike(*this, "its key is not one of P-256 or P-384");
  return crypto::verify_ecdsa(*kind, point(), message, r_and_s);
}

Result<std::vector<Certificate>> parse_certificates(BytesView bytes) {
  if (bytes.size() > kLargestBundle) {
    return make_error(Code::kInvalidArgument, "{} bytes of certificates; at most {} are read", bytes.size(),
                      kLargestBundle);
  }
  TCFDL_ASSIGN(const auto blocks, is_pem(bytes) ? pem_blocks(bytes, "CERTIFICATE", kMostCertificates)
                                                : x509::der_elements(bytes, kMostCertificates));
  std::vector<Certificate> certificates;
  for (const auto& block : blocks) {
    TCFDL_ASSIGN(auto certificate, Certificate::from_der(block));
    certificates.push_back(std::move(certificate));
  }
  return certificates;
}

Result<std::vector<Certificate>> build_chain(const Certificate& leaf, const std::vector<Certificate>& pool) {
  std::vector<Certificate> chain{leaf};
  while (!chain.back().check_issued_by(chain.back())) {
    const auto issuer = std::ranges::find_if(pool, [&](const auto& candidate) {
      return candidate != chain.back() && chain.back().check_issued_by(candidate).has_value();
    });
    if (issuer == pool.end() || std::ranges::find(chain, *issuer) != chain.end()) {
      return make_error(Code::kNotFound, "the issuer '{}' of certificate '{}' is not among those given",
                        chain.back().issuer_common_name(), chain.back().common_name());
    }
    chain.push_back(*issuer);
  }
  return chain;
}

Status check_chain(const std::vector<Certificate>& chain, UnixSeconds now) {
  if (chain.empty()) return Error(Code::kUnauthenticated, "the chain has no certificates");
  for (std::size_t at = 0; at < chain.size(); ++at) {
    const auto& issuer = chain[std::min(at + 1, chain.size() - 1)];
    TCFDL_TRY(chain[at].check_issued_by(issuer));
    if (at > 0) TCFDL_TRY(chain[at].check_ca(at - 1));
    const auto& valid = chain[at].validity();
    if (valid.contains(now)) continue;
    return unlike(chain[at], fmt::format("it is valid from {} to {}, the time is {}", to_rfc3339(valid.not_before),
                                         to_rfc3339(valid.not_after), to_rfc3339(now)));
  }
  return {};
}

} // namespace tcfdl::crypto
