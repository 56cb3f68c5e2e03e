// Seals what the authority keeps at rest, under a key from a file.
#pragma once

#include "base/result.hpp"
#include "crypto/aead.hpp"
#include "crypto/secret.hpp"

#include <filesystem>

namespace tcfdl::service_manager::authority {

/// AES-128-GCM under the 16 bytes of a key file, with a random nonce a secret. Immutable; any thread.
class Vault {
public:
  /// Reads the key file. Where there is none, `may_create` says whether it is made, with mode 0600.
  /// FAILED_PRECONDITION when it is missing and must not be made, when others than its owner can read or write it, when
  /// it is no regular file, or not of 16 bytes.
  static Result<Vault> open(const std::filesystem::path& key_file, bool may_create);

  /// Nonce ‖ ciphertext ‖ tag. `name` says what the secret is for and is authenticated with it.
  [[nodiscard]] Result<Bytes> seal(std::string_view name, BytesView secret) const;

  /// FAILED_PRECONDITION when the key file is not the one that sealed it, or the sealed bytes were changed.
  [[nodiscard]] Result<crypto::SecretBytes> open_sealed(std::string_view name, BytesView sealed) const;

private:
  explicit Vault(crypto::SecretArray<crypto::kAeadKeySize> key) : key_(std::move(key)) {}

  crypto::SecretArray<crypto::kAeadKeySize> key_;
};

} // namespace tcfdl::service_manager::authority
