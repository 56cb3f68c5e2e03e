#include "crypto/aead.hpp"

#include "crypto/openssl.hpp"
#include "crypto/secret.hpp"

#include <functional>

namespace tcfdl::crypto {
namespace {

bool overlap_partly(BytesView in, BytesView out) {
  if (in.empty() || out.empty() || in.data() == out.data()) return false;
  const std::less<> before;
  return before(in.data(), out.data() + out.size()) && before(out.data(), in.data() + in.size());
}

Status check_buffers(BytesView in, BytesView out, std::size_t expected, BytesView aad) {
  if (in.size() > kAeadLongest || aad.size() > kAeadLongest) {
    return make_error(Code::kInvalidArgument, "AES-GCM takes at most {} octets a message", kAeadLongest);
  }
  if (out.size() != expected) {
    return make_error(Code::kInvalidArgument, "AES-GCM output of {} octets where {} are due", out.size(), expected);
  }
  if (overlap_partly(in, out)) return Error(Code::kInvalidArgument, "AES-GCM input and output overlap in part");
  return {};
}

} // namespace

AeadKey::AeadKey(std::span<const std::uint8_t, kAeadKeySize> key)
    : context_(require_object(EVP_CIPHER_CTX_new(), "a cipher context")) {
  require(EVP_CipherInit_ex2(context_.get(), aes_128_gcm_algorithm(), key.data(), nullptr, 1, nullptr),
          "setting an AES-GCM key");
}

Status AeadKey::start(bool sealing, const AeadNonce& nonce, BytesView aad) {
  TCFDL_TRY(check(EVP_CipherInit_ex2(context_.get(), nullptr, nullptr, nonce.data(), sealing ? 1 : 0, nullptr),
                  "setting an AES-GCM nonce"));
  int written = 0;
  if (aad.empty()) return {};
  return check(EVP_CipherUpdate(context_.get(), nullptr, &written, aad.data(), static_cast<int>(aad.size())),
               "AES-GCM associated data");
}

Status AeadKey::seal(const AeadNonce& nonce, BytesView aad, BytesView plaintext, std::span<std::uint8_t> out) {
  TCFDL_TRY(check_buffers(plaintext, out, plaintext.size() + kAeadTagSize, aad));
  TCFDL_TRY(start(true, nonce, aad));
  int written = 0;
  if (!plaintext.empty()) {
    TCFDL_TRY(check(
        EVP_CipherUpdate(context_.get(), out.data(), &written, plaintext.data(), static_cast<int>(plaintext.size())),
        "AES-GCM sealing"));
  }
  auto* const tag = out.data() + plaintext.size();
  TCFDL_TRY(check(EVP_CipherFinal_ex(context_.get(), tag, &written), "AES-GCM sealing"));
  return check(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kAeadTagSize), tag),
               "AES-GCM tag");
}

Status AeadKey::open(const AeadNonce& nonce, BytesView aad, BytesView sealed, std::span<std::uint8_t> out) {
  if (sealed.size() < kAeadTagSize) {
    return make_error(Code::kInvalidArgument, "sealed text of {} octets has no room for a tag", sealed.size());
  }
  const auto size = sealed.size() - kAeadTagSize;
  TCFDL_TRY(check_buffers(sealed, out, size, aad));
  TCFDL_TRY(start(false, nonce, aad));
  // Taken before the output is written, which may be the same memory.
  std::array<std::uint8_t, kAeadTagSize> tag{};
  std::ranges::copy(sealed.last(kAeadTagSize), tag.begin());
  TCFDL_TRY(check(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()),
                  "AES-GCM tag"));
  int written = 0;
  std::uint8_t nothing = 0;
  const bool opened = (size == 0 || succeeded(EVP_CipherUpdate(context_.get(), out.data(), &written, sealed.data(),
                                                               static_cast<int>(size)))) &&
                      succeeded(EVP_CipherFinal_ex(context_.get(), &nothing, &written));
  if (opened) return {};
  wipe(out);
  return Error(Code::kUnauthenticated, "AES-GCM tag mismatch: the key, nonce, associated data or sealed text is wrong");
}

Status AeadKey::seal_in_place(const AeadNonce& nonce, BytesView aad, std::span<std::uint8_t> buffer) {
  if (buffer.size() < kAeadTagSize) {
    return make_error(Code::kInvalidArgument, "a buffer of {} octets has no room for a tag", buffer.size());
  }
  return seal(nonce, aad, buffer.first(buffer.size() - kAeadTagSize), buffer);
}

Result<std::span<std::uint8_t>> AeadKey::open_in_place(const AeadNonce& nonce, BytesView aad,
                                                       std::span<std::uint8_t> buffer) {
  const auto plaintext = buffer.first(buffer.size() - std::min(buffer.size(), kAeadTagSize));
  TCFDL_TRY(open(nonce, aad, buffer, plaintext));
  return plaintext;
}

} // namespace tcfdl::crypto
