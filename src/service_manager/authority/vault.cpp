#include "service_manager/authority/vault.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "crypto/scrypt.hpp"

#include <array>

namespace tcfdl::service_manager::authority {
namespace {

using Key = crypto::SecretArray<crypto::kAeadKeySize>;

constexpr std::string_view kMagic = "tcfdlkey";
constexpr std::uint8_t kLog2Cost = 17;
constexpr std::size_t kSaltSize = 16;
constexpr std::size_t kHeaderSize = kMagic.size() + 2 + kSaltSize; // authenticated
constexpr std::size_t kSealedSize = kHeaderSize + crypto::kAeadNonceSize + crypto::kAeadKeySize + crypto::kAeadTagSize;
constexpr std::size_t kShortestPassphrase = 12;
constexpr std::size_t kLongestPassphrase = 1024;
constexpr std::string_view kEnclaveLabel = "tcfdl/1/key-file";

/// What seals the key in its file: the file's version.
enum class Sealing : std::uint8_t { kNone = 0, kPassphrase = 1, kEnclave = 2 };

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

std::string_view name_of(EnclaveKey::Holder holder) {
  return holder == EnclaveKey::Holder::kEnclave ? "_sgx_mrenclave" : "_sgx_mrsigner";
}

Sealing wanted_sealing(const KeyFile& where) {
  if (where.enclave) return Sealing::kEnclave;
  return where.passphrase_file.empty() ? Sealing::kNone : Sealing::kPassphrase;
}

/// What stands beside the version: how the wrapping key is had.
std::uint8_t parameter(const KeyFile& where) {
  return where.enclave ? static_cast<std::uint8_t>(where.enclave->holder) : kLog2Cost;
}

Result<crypto::AeadKey> key_of_passphrase(const KeyFile& where, BytesView salt, unsigned log2_cost) {
  TCFDL_ASSIGN(const auto passphrase, read_passphrase(where.passphrase_file));
  TCFDL_ASSIGN(const auto key, crypto::scrypt(passphrase.span(), salt,
                                              {.log2_cost = log2_cost, .block = 8, .parallel = 1}, Key().size()));
  return crypto::AeadKey(key.span().first<crypto::kAeadKeySize>());
}

/// The enclave's key itself encrypts nothing here: Gramine may have mounted files under it.
Result<crypto::AeadKey> key_of_enclave(const EnclaveKey& enclave, BytesView salt) {
  const auto path = enclave.root / "keys" / name_of(enclave.holder);
  auto content = read_file(path, crypto::kAeadKeySize);
  if (!content && content.error().code() == Code::kNotFound) {
    return make_error(Code::kFailedPrecondition,
                      "there is no {}: this process does not run in an SGX enclave of Gramine (1.5 or later); start it "
                      "with gramine-sgx, or leave enclave_key out",
                      path.string());
  }
  if (!content) return content.error();
  const auto secret = crypto::SecretBytes::copy_of(*content);
  crypto::wipe(*content);
  if (secret.size() != crypto::kAeadKeySize) {
    return make_error(Code::kFailedPrecondition, "{} has {} bytes, not {}", path.string(), secret.size(),
                      crypto::kAeadKeySize);
  }
  const auto key = crypto::hkdf_sha256(secret.span(), salt, as_bytes(kEnclaveLabel), crypto::kAeadKeySize);
  return crypto::AeadKey(key.span().first<crypto::kAeadKeySize>());
}

Result<crypto::AeadKey> wrapping_key(const KeyFile& where, BytesView salt, std::uint8_t parameter) {
  if (!where.enclave) return key_of_passphrase(where, salt, parameter);
  const auto sealed_for = static_cast<EnclaveKey::Holder>(parameter);
  if (sealed_for == where.enclave->holder) return key_of_enclave(*where.enclave, salt);
  return make_error(Code::kFailedPrecondition, "the key file {} is sealed under {}, the configuration names {}",
                    where.file.string(), name_of(sealed_for), name_of(where.enclave->holder));
}

/// Magic ‖ version ‖ parameter ‖ salt ‖ nonce ‖ sealed key ‖ tag.
Result<Bytes> seal_key(const Key& key, const KeyFile& where) {
  Bytes file(kMagic.begin(), kMagic.end());
  file.insert(file.end(), {static_cast<std::uint8_t>(wanted_sealing(where)), parameter(where)});
  const auto salt = crypto::random_array<kSaltSize>();
  file.insert(file.end(), salt.begin(), salt.end());
  const auto nonce = crypto::random_array<crypto::kAeadNonceSize>();
  file.insert(file.end(), nonce.begin(), nonce.end());
  file.resize(kSealedSize);
  TCFDL_ASSIGN(auto wrapping, wrapping_key(where, salt, parameter(where)));
  const auto header = BytesView(file).first(kHeaderSize);
  TCFDL_TRY(wrapping.seal(nonce, header, key.span(), std::span(file).subspan(kHeaderSize + nonce.size())));
  return file;
}

Result<Key> open_key(BytesView file, const KeyFile& where) {
  const auto header = file.first(kHeaderSize);
  TCFDL_ASSIGN(auto wrapping, wrapping_key(where, header.last(kSaltSize), file[kMagic.size() + 1]));
  crypto::AeadNonce nonce{};
  std::ranges::copy(file.subspan(kHeaderSize, nonce.size()), nonce.begin());
  Key key;
  if (wrapping.open(nonce, header, file.subspan(kHeaderSize + nonce.size()), key.span())) return key;
  return make_error(Code::kUnauthenticated, "{} does not open the key file {}, or the file was changed",
                    where.enclave ? fmt::format("this enclave's {} (it has another measurement, signer or processor "
                                                "than the one that sealed it)",
                                                name_of(where.enclave->holder))
                                  : "the passphrase",
                    where.file.string());
}

Result<Sealing> sealing_of(BytesView file, const std::filesystem::path& path) {
  if (file.size() == crypto::kAeadKeySize) return Sealing::kNone;
  if (file.size() != kSealedSize || as_text(file.first(kMagic.size())) != kMagic) {
    return make_error(Code::kFailedPrecondition,
                      "the key file {} has {} bytes, is neither a key nor a sealed one; restore it", path.string(),
                      file.size());
  }
  const auto version = static_cast<Sealing>(file[kMagic.size()]);
  if (version == Sealing::kPassphrase || version == Sealing::kEnclave) return version;
  return make_error(Code::kFailedPrecondition, "the key file {} is of version {}, known are 1 and 2", path.string(),
                    file[kMagic.size()]);
}

/// The key of a file that is there.
Result<Key> read_key(const KeyFile& where) {
  TCFDL_ASSIGN(const auto content, read_secret(where.file, kSealedSize));
  const auto file = content.span();
  TCFDL_ASSIGN(const auto present, sealing_of(file, where.file));
  const auto wanted = wanted_sealing(where);
  if (present != Sealing::kNone && present != wanted) {
    return make_error(Code::kFailedPrecondition, "the key file {} is sealed {}; name {} in the configuration",
                      where.file.string(),
                      present == Sealing::kEnclave ? "under a key of an enclave" : "under a passphrase",
                      present == Sealing::kEnclave ? "the enclave_key" : "its passphrase_file");
  }
  if (present != Sealing::kNone) return open_key(file, where);
  auto key = Key::copy_of(file.first<crypto::kAeadKeySize>());
  if (wanted == Sealing::kNone) return key;
  TCFDL_ASSIGN(const auto now_sealed, seal_key(key, where));
  TCFDL_TRY(write_file(where.file, now_sealed, kPrivateFile));
  spdlog::info("the key file {} is sealed under {} from now on", where.file.string(),
               where.enclave ? name_of(where.enclave->holder) : "the passphrase");
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
    if (wanted_sealing(key_file) == Sealing::kNone) {
      TCFDL_TRY(write_file(key_file.file, key.span(), kPrivateFile));
    } else {
      TCFDL_ASSIGN(const auto sealed, seal_key(key, key_file));
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
