// Seals what the authority keeps at rest, under a key from a file.
#pragma once

#include "base/result.hpp"
#include "crypto/aead.hpp"
#include "crypto/secret.hpp"

#include <filesystem>

namespace tcfdl::service_manager::authority {

/// Where the key lies, and the passphrase that opens it.
struct KeyFile {
  KeyFile(std::filesystem::path key_file = {},
          std::filesystem::path passphrase = {}) // NOLINT(google-explicit-constructor)
      : file(std::move(key_file)), passphrase_file(std::move(passphrase)) {}

  std::filesystem::path file;
  std::filesystem::path passphrase_file; ///< empty: the key file is its own protection
};

/// AES-128-GCM with a random nonce a secret, under the key of a key file: its 16 bytes as they are, or sealed under a
/// passphrase by scrypt (RFC 7914) and AES-128-GCM. docs/formats/key_file.md. Immutable; any thread.
class Vault {
public:
  /// Reads the key file. Where there is none, `may_create` says whether it is made, with mode 0600. A key file without
  /// passphrase is sealed when one is given for the first time. FAILED_PRECONDITION when it is missing and must not be
  /// made, when it is a link or no key file, when it needs a passphrase and there is none; PERMISSION_DENIED when
  /// others than its owner can read or change it or the passphrase; UNAUTHENTICATED for a wrong one, INVALID_ARGUMENT
  /// for one below 12 bytes.
  static Result<Vault> open(const KeyFile& key_file, bool may_create);

  /// Nonce ‖ ciphertext ‖ tag. `name` says what the secret is for and is authenticated with it.
  [[nodiscard]] Result<Bytes> seal(std::string_view name, BytesView secret) const;

  /// FAILED_PRECONDITION when the key file is not the one that sealed it, or the sealed bytes were changed.
  [[nodiscard]] Result<crypto::SecretBytes> open_sealed(std::string_view name, BytesView sealed) const;

private:
  using Key = crypto::SecretArray<crypto::kAeadKeySize>;
  explicit Vault(Key key) : key_(std::move(key)) {}

  Key key_;
};

} // namespace tcfdl::service_manager::authority
