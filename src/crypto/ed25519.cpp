#include "crypto/ed25519.hpp"

#include "crypto/openssl.hpp"
#include "crypto/random.hpp"

#include <openssl/err.h>

namespace tcfdl::crypto {
namespace {

struct DigestContextDeleter {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestContextDeleter>;

DigestContext make_digest_context() { return DigestContext(require_object(EVP_MD_CTX_new(), "a digest context")); }

} // namespace

Ed25519SigningKey Ed25519SigningKey::generate() { return Ed25519SigningKey(random_secret<kEd25519KeySize>()); }

Ed25519SigningKey::Ed25519SigningKey(Ed25519Seed seed)
    : seed_(std::move(seed)),
      key_(require_object(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, seed_.data(), seed_.size()),
                          "an Ed25519 key"),
           NativeDeleter()) {
  std::size_t size = public_key_.size();
  require(EVP_PKEY_get_raw_public_key(key_.get(), public_key_.data(), &size), "reading an Ed25519 key");
}

Ed25519Signature Ed25519SigningKey::sign(BytesView message) const {
  const auto context = make_digest_context();
  require(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()), "preparing Ed25519");
  Ed25519Signature signature{};
  std::size_t size = signature.size();
  require(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()), "signing");
  return signature;
}

Status verify_ed25519(const Ed25519PublicKey& key, BytesView message, BytesView signature) {
  const NativePtr<EVP_PKEY> native(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, key.data(), key.size()));
  const auto context = make_digest_context();
  if (native != nullptr && signature.size() == kEd25519SignatureSize &&
      succeeded(EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, native.get())) &&
      succeeded(EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()))) {
    return {};
  }
  ERR_clear_error();
  return Error(Code::kUnauthenticated, "the signature is not one of this Ed25519 key over this message");
}

} // namespace tcfdl::crypto
