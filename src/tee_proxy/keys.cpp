#include "tee_proxy/keys.hpp"

#include "base/file.hpp"

#include <algorithm>

namespace tcfdl::tee_proxy {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kLongestFile = 4096;

Status save(const std::filesystem::path& path, const OwnKeys& keys) {
  crypto::SecretBytes content(3 * kKeySize);
  std::ranges::copy(keys.signing.private_bytes().span(), content.data());
  std::ranges::copy(keys.sealing.private_bytes().span(), content.data() + kKeySize);
  std::ranges::copy(keys.platform.private_bytes().span(), content.data() + 2 * kKeySize);
  return write_file(path, std::as_const(content).span(), kPrivateFile);
}

Result<OwnKeys> parse(BytesView content) {
  if (content.size() != 3 * kKeySize) return Error(Code::kDataLoss, "it has a wrong size");
  TCFDL_ASSIGN(auto signing, crypto::SigningKey::from_private_bytes(content.first(kKeySize)));
  TCFDL_ASSIGN(auto sealing, crypto::HpkePrivateKey::from_bytes(content.subspan(kKeySize, kKeySize)));
  TCFDL_ASSIGN(auto platform, crypto::SigningKey::from_private_bytes(content.last(kKeySize)));
  return OwnKeys{std::move(signing), std::move(sealing), std::move(platform)};
}

} // namespace

Result<OwnKeys> OwnKeys::load_or_make(const std::filesystem::path& directory) {
  const auto path = directory / "proxy.keys";
  auto content = read_file(path, kLongestFile);
  if (content) {
    auto keys = parse(*content);
    crypto::wipe(*content);
    if (keys) return keys;
    return make_error(Code::kDataLoss, "{} is damaged: {}; restore it or enrol the node anew", path.string(),
                      keys.error().message());
  }
  if (content.error().code() != Code::kNotFound) return content.error();
  OwnKeys made{crypto::SigningKey::generate(), crypto::HpkePrivateKey::generate(), crypto::SigningKey::generate()};
  TCFDL_TRY(save(path, made));
  return made;
}

void ReencryptionKeys::put(std::shared_ptr<const wire::ProxyKey> key) {
  const auto& scope = key->scope;
  Name name{scope.holder_verify_key(), scope.role(), scope.function(), scope.assurance(), scope.epoch()};
  keys_.with([&](auto& keys) { keys.insert_or_assign(std::move(name), std::move(key)); });
}

std::shared_ptr<const wire::ProxyKey> ReencryptionKeys::find(wire::KeyRole role, const std::string& holder_key,
                                                             const std::string& function, const std::string& assurance,
                                                             std::uint32_t epoch, std::int64_t now) const {
  return keys_.with([&](const auto& keys) -> std::shared_ptr<const wire::ProxyKey> {
    const auto found = keys.find(Name{holder_key, role, function, assurance, epoch});
    if (found == keys.end() || found->second->scope.expires() <= now) return nullptr;
    return found->second;
  });
}

std::size_t ReencryptionKeys::erase_if(const std::function<bool(const wire::KeyScope&)>& is_void) {
  return keys_.with(
      [&](auto& keys) { return std::erase_if(keys, [&](const auto& key) { return is_void(key.second->scope); }); });
}

} // namespace tcfdl::tee_proxy
