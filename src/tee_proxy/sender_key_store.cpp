#include "tee_proxy/sender_key_store.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "wire/signed.hpp"

#include <algorithm>

namespace tcfdl::tee_proxy {
namespace {

constexpr std::size_t kMostKept = 4096;
constexpr std::size_t kLargestAnswer = std::size_t{256} << 10U;

Result<wire::KeyScope> scope_of(const wire::SenderKeysReply& granted) {
  return wire::parse<wire::KeyScope>(granted.proxy_key().scope());
}

Result<wire::SenderKeysReply> read_answer(const std::filesystem::path& file) {
  TCFDL_ASSIGN(const auto content, read_file(file, kLargestAnswer));
  return wire::parse<wire::SenderKeysReply>(content);
}

} // namespace

std::filesystem::path SenderKeyStore::file_of(const Key& key) const {
  const auto& [holder, to] = key;
  return directory_ / to_hex(crypto::sha256(as_bytes(fmt::format("{}\n{}\n{}", to.function, to.assurance, holder))));
}

Result<std::unique_ptr<SenderKeyStore>> SenderKeyStore::open(std::filesystem::path directory) {
  TCFDL_TRY(make_private_directory(directory));
  std::unique_ptr<SenderKeyStore> store(new SenderKeyStore(std::move(directory)));
  std::error_code failure;
  std::filesystem::directory_iterator entries(store->directory_, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    const auto& file = entries->path();
    auto granted = read_answer(file);
    const auto scope = granted ? scope_of(*granted) : Result<wire::KeyScope>(granted.error());
    if (scope) {
      Key key{scope->holder_verify_key(), {scope->function(), scope->assurance()}};
      if (store->file_of(key) == file && store->kept_.size() < kMostKept) {
        store->kept_.emplace(std::move(key), Kept{*scope, *std::move(granted)});
        continue;
      }
    }
    spdlog::warn("{} holds no keys to send with and is removed", file.string());
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  if (!failure) return store;
  return make_error(Code::kInternal, "cannot read {}: {}", store->directory_.string(), failure.message());
}

Status SenderKeyStore::put(wire::SenderKeysReply granted) {
  TCFDL_ASSIGN(auto scope, scope_of(granted));
  Key key{scope.holder_verify_key(), {scope.function(), scope.assurance()}};
  const auto content = wire::serialize(granted);
  const std::scoped_lock lock(mutex_);
  if (kept_.size() >= kMostKept && !kept_.contains(key)) {
    const auto first =
        std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.scope.expires(); });
    remove_file(first->first);
    kept_.erase(first);
  }
  TCFDL_TRY(write_file(file_of(key), content, kPrivateFile));
  kept_.insert_or_assign(std::move(key), Kept{std::move(scope), std::move(granted)});
  return {};
}

std::optional<wire::SenderKeysReply> SenderKeyStore::find(const std::string& holder_key, const Destination& to) const {
  const std::scoped_lock lock(mutex_);
  const auto found = kept_.find({holder_key, to});
  return found == kept_.end() ? std::nullopt : std::optional(found->second.granted);
}

void SenderKeyStore::erase_if(const std::function<bool(const wire::KeyScope&)>& is_void) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(kept_, [&](const auto& entry) {
    if (!is_void(entry.second.scope)) return false;
    remove_file(entry.first);
    return true;
  });
}

void SenderKeyStore::remove_file(const Key& key) const {
  std::error_code failure;
  std::filesystem::remove(file_of(key), failure);
  if (failure) spdlog::warn("cannot remove {}: {}", file_of(key).string(), failure.message());
}

} // namespace tcfdl::tee_proxy
