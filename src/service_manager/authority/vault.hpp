// Seals what the authority keeps at rest, under a key from a file.
#pragma once

#include "base/result.hpp"
#include "crypto/aead.hpp"
#include "crypto/secret.hpp"

#include <filesystem>
#include <optional>

namespace tcfdl::service_manager::authority {

/// A sealing key of the SGX enclave that this process runs in, as Gramine shows it: a file of 16 bytes.
struct EnclaveKey {
  enum class Holder : std::uint8_t {
    kEnclave = 1, ///< `_sgx_mrenclave`: this measurement alone
    kSigner = 2,  ///< `_sgx_mrsigner`: every enclave of this signer
  };
  std::filesystem::path root; ///< /dev/attestation
  Holder holder = Holder::kEnclave;
};

/// Where the key lies, and what opens it: a passphrase, the enclave, or, without either, nothing but the file.
struct KeyFile {
  KeyFile(std::filesystem::path key_file = {}, // NOLINT(google-explicit-constructor)
          std::filesystem::path passphrase = {}, std::optional<EnclaveKey> enclave_key = {})
      : file(std::move(key_file)), passphrase_file(std::move(passphrase)), enclave(std::move(enclave_key)) {}

  std::filesystem::path file;
  std::filesystem::path passphrase_file; ///< empty: none
  std::optional<EnclaveKey> enclave;     ///< in place of a passphrase
};

/// AES-128-GCM with a random nonce a secret, under the key of a key file: its 16 bytes as they are, or sealed under a
/// passphrase by scrypt (RFC 7914), or under a key of the enclave by HKDF, and AES-128-GCM. docs/formats/key_file.md.
/// Immutable; any thread.
class Vault {
public:
  /// Reads the key file. Where there is none, `may_create` says whether it is made, with mode 0600. A key file that is
  /// not sealed is sealed when a passphrase or an enclave is given for the first time; nothing else changes how it is
  /// sealed. FAILED_PRECONDITION when it is missing and must not be made, when it is a link or no key file, when it is
  /// sealed otherwise than `key_file` says, when the enclave's key is not there; PERMISSION_DENIED when others than its
  /// owner can read or change it or the passphrase; UNAUTHENTICATED for a wrong passphrase or enclave, INVALID_ARGUMENT
  /// for a passphrase below 12 bytes.
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
