// What the authority gave callers to send with, kept so that they go on sending while it is silent.
#pragma once

#include "base/clock.hpp"
#include "wire/messages.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

namespace tcfdl::tee_proxy {

/// To which function of which class somebody sends.
struct Destination {
  std::string function;
  std::string assurance;

  friend auto operator<=>(const Destination&, const Destination&) = default;
};

/// The authority's answers by holder and destination, a file each. Nothing in them is secret to who reads them: each
/// package is sealed to the one that opens it, and signed, so whoever uses one checks it again. Thread-safe.
class SenderKeyStore {
public:
  /// Files that are none are removed: their content can be asked for again.
  static Result<std::unique_ptr<SenderKeyStore>> open(std::filesystem::path directory);

  /// Keeps an answer, in place of an earlier one to the same; of too many, the one that expires first goes.
  /// INVALID_ARGUMENT for one whose scope cannot be read.
  Status put(wire::SenderKeysReply granted);
  /// The answer to the holder of that key. Unverified.
  [[nodiscard]] std::optional<wire::SenderKeysReply> find(const std::string& holder_key, const Destination& to) const;
  /// Forgets those that `is_void` names, by what their scope says.
  void erase_if(const std::function<bool(const wire::KeyScope&)>& is_void);

private:
  using Key = std::pair<std::string, Destination>; // of the holder, and where to
  struct Kept {
    wire::KeyScope scope;
    wire::SenderKeysReply granted;
  };

  explicit SenderKeyStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  using Entries = std::map<Key, Kept>;
  static Key key_of(const wire::KeyScope& scope);
  [[nodiscard]] std::filesystem::path file_of(const Key& key) const;

  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  Entries kept_; // guarded by mutex_
};

} // namespace tcfdl::tee_proxy
