#include "service_manager/authority/vault.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "crypto/random.hpp"
#include "crypto/scrypt.hpp"

#include <array>

namespace tcfdl::service_manager::authority {
namespace {

using Key = crypto::SecretArray<crypto::kAeadKeySize>;

constexpr std::string_view kMagic = "tcfdlkey";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kLog2Cost = 17;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHeaderSize = kMagic.size() + 2 + kSaltSize; // authenticated
constexpr std::size_t kSealedSize = kHeaderSize + crypto::kAeadNonceSize + crypto::kAeadKeySize + crypto::kAeadTagSize;
constexpr std::size_t kShortestPassphrase = 12;
constexpr std::size_t kLongestPassphrase = 1024;

Result<crypto::SecretBytes> read_secret(const std::filesystem::path& path, std::size_t most) {
  TCFDL_ASSIGN(auto content, read_private_file(path, most));
  auto secret = crypto::SecretBytes::copy_of(content);
  crypto::wipe(content);
  return secret;
}

/// Without the newline that editors leave at its end.
Result<crypto::SecretBytes> read_passphrase(const std::filesystem::path& path) {
  TCFDL_ASSIGN(const auto content, read_secret(path, kLongestPassphrase));
  auto passphrase = content.span();
  while (!passphrase.empty() && (passphrase.back() == '\n' || passphrase.back() == '\r')) {
    passphrase = passphrase.first(passphrase.size() - 1);
  }
  if (passphrase.size() >= kShortestPassphrase) return crypto::SecretBytes::copy_of(passphrase);
  return make_error(Code::kInvalidArgument, "the passphrase in {} is shorter than {} bytes", path.string(),
                    kShortestPassphrase);
}

Result<crypto::AeadKey> wrapping_key(BytesView passphrase, BytesView salt, unsigned log2_cost) {
  TCFDL_ASSIGN(const auto key,
               crypto::scrypt(passphrase, salt, {.log2_cost = log2_cost, .block = 8, .parallel = 1}, Key().size()));
  return crypto::AeadKey(key.span().first<crypto::kAeadKeySize>());
}

/// Magic ‖ version ‖ log2 of scrypt's cost ‖ salt ‖ nonce ‖ sealed key ‖ tag.
Result<Bytes> seal_key(const Key& key, BytesView passphrase) {
  Bytes file(kMagic.begin(), kMagic.end());
  file.insert(file.end(), {kVersion, kLog2Cost});
  const auto salt = crypto::random_array<kSaltSize>();
  file.insert(file.end(), salt.begin(), salt.end());
  const auto nonce = crypto::random_array<crypto::kAeadNonceSize>();
  file.insert(file.end(), nonce.begin(), nonce.end());
  file.resize(kSealedSize);
  TCFDL_ASSIGN(auto wrapping, wrapping_key(passphrase, salt, kLog2Cost));
  const auto header = BytesView(file).first(kHeaderSize);
  TCFDL_TRY(wrapping.seal(nonce, header, key.span(), std::span(file).subspan(kHeaderSize + nonce.size())));
  return file;
}

Result<Key> open_key(BytesView file, BytesView passphrase, const std::filesystem::path& path) {
  const auto version = file[kMagic.size()];
  if (version != kVersion) {
    return make_error(Code::kFailedPrecondition, "the key file {} is of version {}, known is {}", path.string(),
                      version, kVersion);
  }
  const auto header = file.first(kHeaderSize);
  TCFDL_ASSIGN(auto wrapping, wrapping_key(passphrase, header.last(kSaltSize), file[kMagic.size() + 1]));
  crypto::AeadNonce nonce{};
  std::ranges::copy(file.subspan(kHeaderSize, nonce.size()), nonce.begin());
  Key key;
  if (wrapping.open(nonce, header, file.subspan(kHeaderSize + nonce.size()), key.span())) return key;
  return make_error(Code::kUnauthenticated, "the passphrase does not open the key file {}, or the file was changed",
                    path.string());
}

/// The key of a file that is there.
Result<Key> read_key(const KeyFile& where) {
  TCFDL_ASSIGN(const auto content, read_secret(where.file, kSealedSize));
  const auto file = content.span();
  const bool sealed = file.size() == kSealedSize && as_text(file.first(kMagic.size())) == kMagic;
  if (!sealed && file.size() != crypto::kAeadKeySize) {
    return make_error(Code::kFailedPrecondition,
                      "the key file {} has {} bytes, is neither a key nor a sealed one; "
                      "restore it",
                      where.file.string(), file.size());
  }
  if (where.passphrase_file.empty()) {
    if (!sealed) return Key::copy_of(file.first<crypto::kAeadKeySize>());
    return make_error(Code::kFailedPrecondition, "the key file {} is sealed; name its passphrase_file",
                      where.file.string());
  }
  TCFDL_ASSIGN(const auto passphrase, read_passphrase(where.passphrase_file));
  if (sealed) return open_key(file, passphrase.span(), where.file);
  auto key = Key::copy_of(file.first<crypto::kAeadKeySize>());
  TCFDL_ASSIGN(const auto now_sealed, seal_key(key, passphrase.span()));
  TCFDL_TRY(write_file(where.file, now_sealed, kPrivateFile));
  spdlog::info("the key file {} is sealed under the passphrase from now on", where.file.string());
  return key;
}

} // namespace

Result<Vault> Vault::open(const KeyFile& key_file, bool may_create) {
  const auto there = std::filesystem::symlink_status(key_file.file);
  if (std::filesystem::is_symlink(there)) {
    return make_error(Code::kFailedPrecondition, "the key file {} is a link; put the file itself there",
                      key_file.file.string());
  }
  if (!std::filesystem::exists(there)) {
    if (!may_create) {
      return make_error(Code::kFailedPrecondition,
                        "the key file {} is missing, without which the stored keys cannot be opened; restore it",
                        key_file.file.string());
    }
    const auto key = crypto::random_secret<crypto::kAeadKeySize>();
    if (key_file.passphrase_file.empty()) {
      TCFDL_TRY(write_file(key_file.file, key.span(), kPrivateFile));
    } else {
      TCFDL_ASSIGN(const auto passphrase, read_passphrase(key_file.passphrase_file));
      TCFDL_ASSIGN(const auto sealed, seal_key(key, passphrase.span()));
      TCFDL_TRY(write_file(key_file.file, sealed, kPrivateFile));
    }
  }
  TCFDL_ASSIGN(auto key, read_key(key_file));
  return Vault(std::move(key));
}

Result<Bytes> Vault::seal(std::string_view name, BytesView secret) const {
  const auto nonce = crypto::random_array<crypto::kAeadNonceSize>();
  Bytes sealed(nonce.begin(), nonce.end());
  sealed.resize(nonce.size() + secret.size() + crypto::kAeadTagSize);
  TCFDL_TRY(crypto::AeadKey(key_.span()).seal(nonce, as_bytes(name), secret, std::span(sealed).subspan(nonce.size())));
  return sealed;
}

Result<crypto::SecretBytes> Vault::open_sealed(std::string_view name, BytesView sealed) const {
  constexpr auto kOverhead = crypto::kAeadNonceSize + crypto::kAeadTagSize;
  if (sealed.size() < kOverhead) return make_error(Code::kFailedPrecondition, "the sealed {} is cut short", name);
  crypto::AeadNonce nonce{};
  std::ranges::copy(sealed.first(nonce.size()), nonce.begin());
  crypto::SecretBytes secret(sealed.size() - kOverhead);
  const auto opened =
      crypto::AeadKey(key_.span()).open(nonce, as_bytes(name), sealed.subspan(nonce.size()), secret.span());
  if (opened) return secret;
  return make_error(Code::kFailedPrecondition,
                    "the stored {} does not open with this key file; restore the file that belongs to this database",
                    name);
}

} // namespace tcfdl::service_manager::authority
