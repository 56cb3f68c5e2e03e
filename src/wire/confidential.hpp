// Confidential files of a bundle: sealed where its owner is, opened where it runs. docs/formats/confidential_file.md.
#pragma once

#include "crypto/hpke.hpp"
#include "crypto/sealing.hpp"
#include "crypto/signature.hpp"
#include "wire/manifest.hpp"
#include "wire/messages.hpp"

#include <filesystem>

namespace tcfdl::wire {

/// Before the segments of a confidential file: 8 octets that name the format, and a salt.
constexpr std::size_t kConfidentialHead = 8 + crypto::kSaltSize;

/// The octets of a confidential file of `size` octets once it is encrypted.
constexpr std::uint64_t encrypted_size(std::uint64_t size) noexcept {
  return kConfidentialHead + crypto::sealed_size(size);
}

/// The key of all confidential files of one bundle. Fresh for every bundle.
using ContentKey = crypto::SecretArray<crypto::kAeadKeySize>;

/// Whose file it is and where in the bundle: authenticated with it.
struct ContentPlace {
  std::string function;
  std::string path;
};

/// Encrypts the file `source` into a new file `target`, in segments. The entry is that of the manifest.
Result<ManifestFile> encrypt_file(const ContentKey& key, const ContentPlace& place, const std::filesystem::path& source,
                                  const std::filesystem::path& target);

/// Decrypts what `encrypt_file` wrote from one descriptor to the other. UNAUTHENTICATED for another key or place and
/// for a file that was changed, cut, extended or reordered; DATA_LOSS for another content than the manifest's entry
/// names. What was written then is to be thrown away.
Status decrypt_file(const ContentKey& key, const ContentPlace& place, const Plaintext& wanted, int from, int to);

/// A content key on its way to the authority: HPKE-sealed to `authority_seal_key` for the bundle that the descriptor
/// measures, signed by the owner. INVALID_ARGUMENT for a bad seal key.
Result<KeyPackage> seal_content_key(const crypto::SigningKey& owner, const Descriptor& descriptor,
                                    BytesView authority_seal_key, const ContentKey& key);

/// Whether the owner of a checked descriptor signed the package for exactly what the descriptor measures.
/// UNAUTHENTICATED, PERMISSION_DENIED.
Status check_content_key(const KeyPackage& unverified, const Descriptor& descriptor);

/// The same for what is deployed together: a manifest with confidential files has a content key, and no other has one.
/// INVALID_ARGUMENT.
Status check_content_key(const std::optional<KeyPackage>& unverified, const Manifest& manifest,
                         const Descriptor& descriptor);

/// The content key of a package that `check_content_key` finds good; errors as there, and of `hpke_open`.
Result<crypto::SecretBytes> open_content_key(const crypto::HpkePrivateKey& authority, const KeyPackage& unverified,
                                             const Descriptor& descriptor);

} // namespace tcfdl::wire
