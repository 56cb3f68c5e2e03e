#include "crypto/x509_native.hpp"

#include <algorithm>
#include <ctime>

namespace tcfdl::crypto::x509 {

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, int (*)(BIO*)> out(require_object(BIO_new(BIO_s_mem()), "a buffer"), BIO_free);
  if (X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data); // NOLINT(cppcoreguidelines-pro-type-cstyle-cast)
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::string common_name_of(const X509_NAME* name) {
  int at = -1;
  for (int next = -1; (next = X509_NAME_get_index_by_NID(name, NID_commonName, next)) >= 0;) at = next;
  if (at < 0) return {};
  unsigned char* data = nullptr;
  const int size = ASN1_STRING_to_UTF8(&data, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return {};
  const std::string text(as_text({data, static_cast<std::size_t>(size)}));
  OPENSSL_free(data);
  return text;
}

Result<Bytes> serial_of(const ASN1_INTEGER* number) {
  constexpr int kLongest = 32;
  const BignumPtr value(ASN1_INTEGER_to_BN(number, nullptr));
  if (!value || BN_is_negative(value.get()) != 0 || BN_num_bytes(value.get()) > kLongest) {
    return Error(Code::kInvalidArgument, "its serial number is negative or too long");
  }
  Bytes bytes(static_cast<std::size_t>(std::max(BN_num_bytes(value.get()), 1)));
  require(BN_bn2binpad(value.get(), bytes.data(), static_cast<int>(bytes.size())) >= 0, "writing a number");
  return bytes;
}

Result<UnixSeconds> seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || !succeeded(ASN1_TIME_to_tm(time, &parts))) {
    return Error(Code::kInvalidArgument, "a date is missing or malformed");
  }
  return static_cast<UnixSeconds>(::timegm(&parts));
}

bool is_strong(int digest) noexcept { return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512; }

Result<std::vector<Bytes>> der_elements(BytesView bytes, std::size_t most) {
  std::vector<Bytes> elements;
  while (!bytes.empty()) {
    const auto* at = bytes.data();
    long length = 0;
    int tag = 0;
    int kind = 0;
    const int form = ASN1_get_object(&at, &length, &tag, &kind, static_cast<long>(bytes.size()));
    ERR_clear_error();
    const bool sequence = (form & 0x80) == 0 && (form & 1) == 0 && tag == V_ASN1_SEQUENCE && kind == V_ASN1_UNIVERSAL;
    const auto header = static_cast<std::size_t>(at - bytes.data());
    if (!sequence || length < 0 || static_cast<std::size_t>(length) > bytes.size() - header) {
      return Error(Code::kInvalidArgument, "the bytes are neither PEM nor DER");
    }
    if (elements.size() == most) return make_error(Code::kInvalidArgument, "more than {} elements of DER", most);
    const auto element = bytes.first(header + static_cast<std::size_t>(length));
    elements.emplace_back(element.begin(), element.end());
    bytes = bytes.subspan(element.size());
  }
  if (elements.empty()) return Error(Code::kInvalidArgument, "there are no bytes");
  return elements;
}

} // namespace tcfdl::crypto::x509
