#include "crypto/tls_certificate.hpp"

#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "crypto/signature_native.hpp"
#include "crypto/x509_native.hpp"

#include <algorithm>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace tcfdl::crypto {
namespace {

struct TlsDeleter {
  void operator()(X509* object) const noexcept { X509_free(object); }
  void operator()(X509_NAME* object) const noexcept { X509_NAME_free(object); }
  void operator()(X509_EXTENSION* object) const noexcept { X509_EXTENSION_free(object); }
  void operator()(BIO* object) const noexcept { BIO_free(object); }
  void operator()(ASN1_STRING* object) const noexcept { ASN1_STRING_free(object); } // a date too
  void operator()(ASN1_OBJECT* object) const noexcept { ASN1_OBJECT_free(object); }
};
template <class T> using TlsPtr = std::unique_ptr<T, TlsDeleter>;

constexpr std::size_t kLongestCommonName = 64; // RFC 5280 appendix A.1: ub-common-name

TlsPtr<X509> native_of(const Certificate& certificate) {
  const auto* at = certificate.der().data();
  return TlsPtr<X509>(
      require_object(d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())), "reading a certificate"));
}

NativePtr<EVP_PKEY> native_of(const SigningKey& key) {
  const auto bytes = key.private_bytes();
  const auto scalar = Scalar::from_bytes(bytes.span());
  require(scalar.has_value(), "a signing key");
  return native_key(key.public_key().point(), &*scalar);
}

TlsPtr<X509_NAME> make_name(std::string_view common_name) {
  TlsPtr<X509_NAME> name(require_object(X509_NAME_new(), "a name"));
  require(X509_NAME_add_entry_by_txt(name.get(), "CN", MBSTRING_UTF8, as_bytes(common_name).data(),
                                     static_cast<int>(common_name.size()), -1, 0),
          "a name");
  return name;
}

/// Of one authority's roots always the same.
std::string root_name(const VerifyKey& key) {
  return fmt::format("tcfdl authority {}", to_hex(BytesView(sha256(key.bytes())).first(8)));
}

TlsPtr<ASN1_TIME> time_of(UnixSeconds seconds) {
  return TlsPtr<ASN1_TIME>(require_object(ASN1_TIME_set(nullptr, seconds), "a date"));
}

void set_random_serial(X509* certificate) {
  auto bytes = random_array<16>();
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x3FU) | 0x40U); // positive, and always 16 octets
  const BignumPtr number(require_object(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), "a serial"));
  require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr, "a serial");
}

struct Text {
  int kind;
  std::string value;
};

void add_extensions(X509* certificate, X509* issuer, const std::vector<Text>& extensions) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [kind, value] : extensions) {
    const TlsPtr<X509_EXTENSION> made(
        require_object(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), "an extension"));
    require(X509_add_ext(certificate, made.get(), -1), "an extension");
  }
}

TlsPtr<ASN1_OCTET_STRING> octets_of(BytesView value) {
  TlsPtr<ASN1_OCTET_STRING> octets(require_object(ASN1_OCTET_STRING_new(), "an OCTET STRING"));
  require(ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())), "an OCTET STRING");
  return octets;
}

/// Not critical: readers may pass over it.
void add_statement(X509* certificate, BytesView statement) {
  const TlsPtr<ASN1_OBJECT> name(require_object(OBJ_txt2obj(kClientStatementOid, 1), "an object identifier"));
  const auto value = octets_of(x509::encoded(octets_of(statement).get(), i2d_ASN1_OCTET_STRING));
  const TlsPtr<X509_EXTENSION> made(
      require_object(X509_EXTENSION_create_by_OBJ(nullptr, name.get(), 0, value.get()), "an extension"));
  require(X509_add_ext(certificate, made.get(), -1), "an extension");
}

TlsPtr<X509> unsigned_certificate(const VerifyKey& key, const X509_NAME* subject, const X509_NAME* issuer,
                                  const Validity& validity) {
  TlsPtr<X509> made(require_object(X509_new(), "a certificate"));
  require(X509_set_version(made.get(), X509_VERSION_3), "a version");
  set_random_serial(made.get());
  require(X509_set_subject_name(made.get(), subject), "a name");
  require(X509_set_issuer_name(made.get(), issuer), "a name");
  require(X509_set1_notBefore(made.get(), time_of(validity.not_before).get()), "a date");
  require(X509_set1_notAfter(made.get(), time_of(validity.not_after).get()), "a date");
  require(X509_set_pubkey(made.get(), native_key(key.point(), nullptr).get()), "a key");
  return made;
}

Result<Certificate> signed_by(const SigningKey& key, X509* certificate) {
  require(X509_sign(certificate, native_of(key).get(), sha256_algorithm()) > 0, "signing a certificate");
  return Certificate::parse(x509::encoded(certificate, i2d_X509));
}

Error not_trusted(std::string why) { return {Code::kUnauthenticated, std::move(why)}; }

} // namespace

bool is_dns_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 253) return false;
  while (!text.empty()) {
    const auto label = text.substr(0, text.find('.'));
    const bool good = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                      std::ranges::all_of(label, [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
                      });
    if (!good || label.size() + 1 == text.size()) return false;
    text.remove_prefix(std::min(label.size() + 1, text.size()));
  }
  return true;
}

Certificate make_tls_root(const SigningKey& key, const std::string& domain, Validity validity) {
  require(is_dns_name(domain), "a domain");
  const auto name = make_name(root_name(key.public_key()));
  const auto made = unsigned_certificate(key.public_key(), name.get(), name.get(), validity);
  add_extensions(made.get(), made.get(),
                 {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                  {NID_key_usage, "critical,keyCertSign"},
                  {NID_name_constraints, "critical,permitted;DNS:" + domain},
                  {NID_subject_key_identifier, "hash"}});
  auto root = signed_by(key, made.get());
  require(root.has_value(), "making a root");
  return *std::move(root);
}

Result<Certificate> issue_tls_certificate(const SigningKey& issuer, const Certificate& root, const TlsLeaf& leaf) {
  if (leaf.dns_names.empty()) return Error(Code::kInvalidArgument, "a TLS certificate needs a name");
  std::string names;
  for (const auto& name : leaf.dns_names) {
    if (!is_dns_name(name)) return make_error(Code::kInvalidArgument, "'{}' is no DNS name", name);
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  }
  const auto ca = native_of(root);
  const auto subject = make_name(std::string_view(leaf.dns_names.front()).substr(0, kLongestCommonName));
  const auto made = unsigned_certificate(leaf.key, subject.get(), X509_get_subject_name(ca.get()), leaf.validity);
  add_extensions(made.get(), ca.get(),
                 {{NID_basic_constraints, "critical,CA:FALSE"},
                  {NID_key_usage, "critical,digitalSignature"},
                  {NID_ext_key_usage, leaf.client_statement.empty() ? "serverAuth,clientAuth" : "clientAuth"},
                  {NID_subject_alt_name, names},
                  {NID_subject_key_identifier, "hash"},
                  {NID_authority_key_identifier, "keyid:always"}});
  if (!leaf.client_statement.empty()) add_statement(made.get(), leaf.client_statement);
  return signed_by(issuer, made.get());
}

Result<Bytes> client_statement_of(const Certificate& leaf) {
  TCFDL_ASSIGN(const auto value, leaf.extension(kClientStatementOid));
  const auto* at = value.data();
  const TlsPtr<ASN1_OCTET_STRING> octets(d2i_ASN1_OCTET_STRING(nullptr, &at, static_cast<long>(value.size())));
  ERR_clear_error();
  if (!octets || at != value.data() + value.size()) {
    return make_error(Code::kInvalidArgument, "the client's statement in certificate '{}' is no OCTET STRING",
                      leaf.common_name());
  }
  const auto* content = ASN1_STRING_get0_data(octets.get());
  return Bytes(content, content + ASN1_STRING_length(octets.get()));
}

Result<Certificate> check_tls_root(BytesView certificate, BytesView key_hash, UnixSeconds now) {
  TCFDL_ASSIGN(auto root, Certificate::parse(certificate));
  if (root.curve() != Curve::kP256 || !equal_constant_time(sha256(root.point()), key_hash)) {
    return not_trusted(
        fmt::format("the root certificate '{}' is of another key than the authority's", root.common_name()));
  }
  TCFDL_TRY(check_chain({root}, now));
  return root;
}

Status check_tls_certificate(const Certificate& leaf, const Certificate& root, const VerifyKey& key,
                             const std::string& dns_name, UnixSeconds now) {
  TCFDL_TRY(check_chain({leaf, root}, now));
  if (!std::ranges::equal(leaf.point(), key.bytes())) {
    return not_trusted(fmt::format("the TLS certificate '{}' is of another key", leaf.common_name()));
  }
  const auto native = native_of(leaf);
  constexpr unsigned kFlags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
  if (!succeeded(X509_check_host(native.get(), dns_name.data(), dns_name.size(), kFlags, nullptr))) {
    return not_trusted(fmt::format("the TLS certificate '{}' is not for {}", leaf.common_name(), dns_name));
  }
  return {};
}

Result<TlsPair> check_tls_chain(std::span<const Bytes> chain, BytesView root_key_hash, const VerifyKey& key,
                                const std::string& dns_name, UnixSeconds now) {
  if (chain.size() != 2) return Error(Code::kFailedPrecondition, "the authority gave no certificate for TLS");
  TCFDL_ASSIGN(auto leaf, Certificate::parse(chain.front()));
  TCFDL_ASSIGN(auto root, check_tls_root(chain.back(), root_key_hash, now));
  TCFDL_TRY(check_tls_certificate(leaf, root, key, dns_name, now));
  return TlsPair{std::move(leaf), std::move(root)};
}

SecretBytes private_key_pem(const SigningKey& key) {
  const TlsPtr<BIO> out(require_object(BIO_new(BIO_s_secmem()), "memory"));
  require(PEM_write_bio_PKCS8PrivateKey(out.get(), native_of(key).get(), nullptr, nullptr, 0, nullptr, nullptr),
          "writing a key");
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  require(size > 0, "writing a key");
  return SecretBytes::copy_of(as_bytes(std::string_view(text, static_cast<std::size_t>(size))));
}

} // namespace tcfdl::crypto
