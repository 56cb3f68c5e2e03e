#include "service_manager/authority/vault.hpp"

#include "base/file.hpp"
#include "crypto/random.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace tcfdl::service_manager::authority {
namespace {

using Key = crypto::SecretArray<crypto::kAeadKeySize>;

Status check_file(int fd, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno_error("cannot inspect", path);
  if (!S_ISREG(status.st_mode)) return make_error(Code::kFailedPrecondition, "{} is no regular file", path.string());
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return make_error(Code::kFailedPrecondition,
                      "others may read or change the key file {}; if nobody did, 'chmod 600' it", path.string());
  }
  if (status.st_size != static_cast<off_t>(crypto::kAeadKeySize)) {
    return make_error(Code::kFailedPrecondition, "the key file {} has {} bytes instead of {}; restore it",
                      path.string(), status.st_size, crypto::kAeadKeySize);
  }
  return {};
}

Result<Key> read_key(int fd, const std::filesystem::path& path) {
  TCFDL_TRY(check_file(fd, path));
  Key key;
  if (::read(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size())) return errno_error("cannot read", path);
  return key;
}

} // namespace

Result<Vault> Vault::open(const std::filesystem::path& key_file, bool may_create) {
  if (!std::filesystem::exists(std::filesystem::symlink_status(key_file))) {
    if (!may_create) {
      return make_error(Code::kFailedPrecondition,
                        "the key file {} is missing, without which the stored keys cannot be opened; restore it",
                        key_file.string());
    }
    const auto key = crypto::random_secret<crypto::kAeadKeySize>();
    TCFDL_TRY(write_file(key_file, key.span(), kPrivateFile));
  }
  const UniqueFd fd(::open(key_file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return errno_error("cannot open the key file", key_file);
  TCFDL_ASSIGN(auto key, read_key(fd.get(), key_file));
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
