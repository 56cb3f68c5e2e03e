// Identities made ahead: an instance that is launched under the name of one starts without the authority (design,
// section 7; docs/decisions/0012).
#pragma once

#include "base/renewal.hpp"
#include "crypto/hpke.hpp"
#include "crypto/signature.hpp"
#include "tee_proxy/launches.hpp"
#include "wire/messages.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace tcfdl::tee_proxy {

/// What every instance of one bundle has in common.
struct SlotKind {
  std::string function; ///< empty: a gateway's
  std::string gateway;  ///< its name, which its successor has too; empty for instances of functions
  Bytes measurement;
  std::vector<std::string> layers; ///< of the sandbox

  friend bool operator==(const SlotKind&, const SlotKind&) = default;
};

SlotKind kind_of(const LaunchRecord& record);

/// Keys, and what the authority gave for them. Constant.
struct Slot {
  crypto::SigningKey signing;
  crypto::HpkePrivateKey sealing;
  wire::StoredSlot stored;
  std::string instance;
  SlotKind kind;
  std::uint64_t version = 0; ///< of the function
  Lifetime lifetime;         ///< of the certificate
};

/// Takes apart what is stored. DATA_LOSS for what does not fit together; signatures are checked where a slot is used.
Result<Slot> make_slot(crypto::SigningKey signing, crypto::HpkePrivateKey sealing, wire::StoredSlot stored);

/// Its private keys, of 32 bytes each: that which signs, that which opens.
crypto::SecretBytes private_keys(const Slot& slot);

/// The slots of a proxy, a file each (mode 0600, as the proxy's own keys): the two private keys of 32 bytes, then a
/// StoredSlot. Each is taken once. Thread-safe.
class Slots {
public:
  using SlotPtr = std::shared_ptr<const Slot>;

  /// Files that are no slots are removed: they can be made anew.
  static Result<std::unique_ptr<Slots>> open(std::filesystem::path directory);

  Status add(Slot slot);
  /// The slot of that name, if it is of that kind; it is gone from here and from the disk.
  SlotPtr take(const std::string& instance, const SlotKind& kind);
  /// Forgets those that `is_void` names; how many.
  std::size_t erase_if(const std::function<bool(const Slot&)>& is_void);
  [[nodiscard]] std::vector<SlotPtr> all() const;

private:
  explicit Slots(std::filesystem::path directory) : directory_(std::move(directory)) {}

  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::map<std::string, SlotPtr> slots_; // guarded by mutex_; by instance
};

} // namespace tcfdl::tee_proxy
