// The proxy's own keys, made inside and kept in its state directory.
#pragma once

#include "base/guarded.hpp"
#include "crypto/hpke.hpp"
#include "crypto/signature.hpp"
#include "wire/capsule.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <tuple>

namespace tcfdl::tee_proxy {

/// Constant after construction. The platform key stands in for the hardware's: it signs the software TEE's reports.
struct OwnKeys {
  crypto::SigningKey signing;
  crypto::HpkePrivateKey sealing;
  crypto::SigningKey platform;

  /// Reads `DIR/proxy.keys` (mode 0600) or makes it. DATA_LOSS for a damaged file.
  static Result<OwnKeys> load_or_make(const std::filesystem::path& directory);
};

/// Re-encryption keys in memory: RK(i→f) by sender, RK(f→j) by instance; each is known by the key that it signs with,
/// since a name may be of one after the other. Thread-safe.
class ReencryptionKeys {
public:
  void put(std::shared_ptr<const wire::ProxyKey> key);
  /// The key of a sender, or of an instance that processes, for one function, class and epoch; nullptr without one.
  [[nodiscard]] std::shared_ptr<const wire::ProxyKey> find(wire::KeyRole role, const std::string& holder_key,
                                                           const std::string& function, const std::string& assurance,
                                                           std::uint32_t epoch, std::int64_t now) const;
  /// Forgets every key of a holder.
  void erase(const std::string& holder_key) {
    erase_if([&](const wire::KeyScope& scope) { return scope.holder_verify_key() == holder_key; });
  }
  /// Forgets the keys that `is_void` names; how many.
  std::size_t erase_if(const std::function<bool(const wire::KeyScope&)>& is_void);

private:
  /// Holder's key, role, function, class, epoch.
  using Name = std::tuple<std::string, wire::KeyRole, std::string, std::string, std::uint32_t>;
  Guarded<std::map<Name, std::shared_ptr<const wire::ProxyKey>>> keys_;
};

} // namespace tcfdl::tee_proxy
