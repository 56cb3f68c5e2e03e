#include "crypto/samples/test_pki.hpp"

#include "crypto/x509_native.hpp"

#include <deque>
#include <mutex>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace tcfdl::crypto::test {
namespace {

template <class T> using Owned = std::unique_ptr<T, void (*)(T*)>;

void name(X509_NAME* out, const std::string& common_name) {
  require(X509_NAME_add_entry_by_txt(out, "CN", MBSTRING_UTF8, as_bytes(common_name).data(),
                                     static_cast<int>(common_name.size()), -1, 0),
          "a name");
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  const Owned<X509_EXTENSION> made(require_object(X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()), "text"),
                                   X509_EXTENSION_free);
  require(X509_add_ext(certificate, made.get(), -1), "an extension");
}

Owned<X509_EXTENSION> raw_extension(const Extension& extension) {
  const Owned<ASN1_OBJECT> oid(require_object(OBJ_txt2obj(extension.oid.c_str(), 1), "an OID"), ASN1_OBJECT_free);
  const Owned<ASN1_OCTET_STRING> value(ASN1_OCTET_STRING_new(), ASN1_OCTET_STRING_free);
  require(ASN1_OCTET_STRING_set(value.get(), extension.value.data(), static_cast<int>(extension.value.size())),
          "bytes");
  return {X509_EXTENSION_create_by_OBJ(nullptr, oid.get(), extension.critical ? 1 : 0, value.get()),
          X509_EXTENSION_free};
}

const EVP_MD* digest_of(const Key& key, const std::string& chosen) {
  if (!chosen.empty()) return EVP_get_digestbyname(chosen.c_str());
  return EVP_PKEY_get_bits(key.native()) == 256 ? EVP_sha256() : EVP_sha384();
}

/// A context that signs as certificates of that key are signed.
DigestContextPtr signer(const Key& key, const std::string& digest) {
  DigestContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  require(EVP_DigestSignInit(context.get(), &options, digest_of(key, digest), nullptr, key.native()), "signing");
  if (EVP_PKEY_is_a(key.native(), "RSA") == 1) {
    require(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), "PSS");
    require(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST), "PSS");
  }
  return context;
}

Owned<ASN1_TIME> time_of(UnixSeconds seconds) { return {ASN1_TIME_set(nullptr, seconds), ASN1_STRING_free}; }

} // namespace

Key::Key(evp_pkey_st* native) : native_(require_object(native, "a key"), EVP_PKEY_free) {}
Key Key::p256() { return Key(EVP_EC_gen("P-256")); }
Key Key::p384() { return Key(EVP_EC_gen("P-384")); }

const Key& Key::rsa(std::size_t n) {
  static std::mutex mutex;
  static std::deque<Key> keys;
  const std::scoped_lock lock(mutex);
  while (keys.size() <= n) keys.push_back(Key(EVP_RSA_gen(2048)));
  return keys[n];
}

Bytes Key::point() const {
  Bytes out(97);
  std::size_t size = 0;
  require(EVP_PKEY_get_octet_string_param(native_.get(), "pub", out.data(), out.size(), &size), "a point");
  out.resize(size);
  return out;
}

Bytes Key::sign(BytesView message) const {
  const auto context = signer(*this, {});
  std::size_t size = 0;
  require(EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()), "signing");
  Bytes der(size);
  require(EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()), "signing");
  const auto* at = static_cast<const std::uint8_t*>(der.data());
  const Owned<ECDSA_SIG> numbers(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)), ECDSA_SIG_free);
  const int half = EVP_PKEY_get_bits(native_.get()) / 8;
  Bytes out(2 * static_cast<std::size_t>(half));
  require(BN_bn2binpad(ECDSA_SIG_get0_r(numbers.get()), out.data(), half) == half, "r");
  require(BN_bn2binpad(ECDSA_SIG_get0_s(numbers.get()), out.data() + half, half) == half, "s");
  return out;
}

Bytes make_certificate(const CertificateText& text, const Key& subject, const Key& issuer) {
  const Owned<X509> made(X509_new(), X509_free);
  require(X509_set_version(made.get(), X509_VERSION_3), "a version");
  require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), text.serial), "a serial");
  name(X509_get_subject_name(made.get()), text.subject);
  name(X509_get_issuer_name(made.get()), text.issuer);
  require(X509_set1_notBefore(made.get(), time_of(text.not_before).get()), "a date");
  require(X509_set1_notAfter(made.get(), time_of(text.not_after).get()), "a date");
  require(X509_set_pubkey(made.get(), subject.native()), "a key");
  if (text.ca) {
    const auto length = text.path_length ? fmt::format(",pathlen:{}", *text.path_length) : "";
    add_extension(made.get(), NID_basic_constraints, "critical,CA:TRUE" + length);
  }
  const auto usage = !text.key_usage.empty() ? text.key_usage : text.ca ? "critical,keyCertSign,cRLSign" : "";
  if (!usage.empty()) add_extension(made.get(), NID_key_usage, usage);
  for (const auto& extension : text.extensions) {
    require(X509_add_ext(made.get(), raw_extension(extension).get(), -1), "an extension");
  }
  require(X509_sign_ctx(made.get(), signer(issuer, text.digest).get()) > 0, "signing");
  return x509::encoded(made.get(), i2d_X509);
}

Bytes make_crl(const CrlText& text, const Key& issuer) {
  const Owned<X509_CRL> made(X509_CRL_new(), X509_CRL_free);
  require(X509_CRL_set_version(made.get(), X509_CRL_VERSION_2), "a version");
  const Owned<X509_NAME> who(X509_NAME_new(), X509_NAME_free);
  name(who.get(), text.issuer);
  require(X509_CRL_set_issuer_name(made.get(), who.get()), "a name");
  require(X509_CRL_set1_lastUpdate(made.get(), time_of(text.this_update).get()), "a date");
  require(X509_CRL_set1_nextUpdate(made.get(), time_of(text.next_update).get()), "a date");
  for (const auto serial : text.serials) {
    Owned<X509_REVOKED> entry(X509_REVOKED_new(), X509_REVOKED_free);
    const Owned<ASN1_INTEGER> number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
    require(ASN1_INTEGER_set_uint64(number.get(), serial), "a serial");
    require(X509_REVOKED_set_serialNumber(entry.get(), number.get()), "a serial");
    require(X509_REVOKED_set_revocationDate(entry.get(), time_of(text.this_update).get()), "a date");
    require(X509_CRL_add0_revoked(made.get(), entry.release()), "an entry");
  }
  if (text.critical_extension) {
    require(X509_CRL_add_ext(made.get(), raw_extension({"2.5.29.28", {0x30, 0x00}, true}).get(), -1), "an extension");
  }
  require(X509_CRL_sign_ctx(made.get(), signer(issuer, {}).get()) > 0, "signing");
  return x509::encoded(made.get(), i2d_X509_CRL);
}

std::string to_pem(BytesView der, const std::string& label) {
  std::string text(2 * der.size() + 4, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), der.data(), static_cast<int>(der.size()));
  text.resize(static_cast<std::size_t>(size));
  std::string pem = fmt::format("-----BEGIN {}-----\n", label);
  for (std::size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
  return pem + fmt::format("-----END {}-----\n", label);
}

} // namespace tcfdl::crypto::test
