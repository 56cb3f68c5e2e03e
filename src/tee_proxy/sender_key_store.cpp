#include "tee_proxy/sender_key_store.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "crypto/hash.hpp"
#include "tee_proxy/kept_files.hpp"
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

SenderKeyStore::Key SenderKeyStore::key_of(const wire::KeyScope& scope) {
  return {scope.holder_verify_key(), {scope.function(), scope.assurance()}};
}

std::filesystem::path SenderKeyStore::file_of(const Key& key) const {
  const auto& [holder, to] = key;
  return directory_ / to_hex(crypto::sha256(as_bytes(fmt::format("{}\n{}\n{}", to.function, to.assurance, holder))));
}

Result<std::unique_ptr<SenderKeyStore>> SenderKeyStore::open(std::filesystem::path directory) {
  std::unique_ptr<SenderKeyStore> store(new SenderKeyStore(std::move(directory)));
  TCFDL_TRY(take_kept_files(store->directory_, "holds no keys to send with", [&store](const auto& file) -> Status {
    TCFDL_ASSIGN(auto granted, read_answer(file));
    TCFDL_ASSIGN(auto scope, scope_of(granted));
    auto key = key_of(scope);
    if (store->file_of(key) != file) return Error(Code::kDataLoss, "it has the name of another");
    if (store->kept_.size() >= kMostKept) return make_error(Code::kResourceExhausted, "more than {}", kMostKept);
    store->kept_.emplace(std::move(key), Kept{std::move(scope), std::move(granted)});
    return {};
  }));
  return store;
}

Status SenderKeyStore::put(wire::SenderKeysReply granted) {
  TCFDL_ASSIGN(auto scope, scope_of(granted));
  auto key = key_of(scope);
  const auto content = wire::serialize(granted);
  const std::scoped_lock lock(mutex_);
  if (kept_.size() >= kMostKept && !kept_.contains(key)) {
    const auto first =
        std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.scope.expires(); });
    remove_kept_file(file_of(first->first));
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
    remove_kept_file(file_of(entry.first));
    return true;
  });
}

} // namespace tcfdl::tee_proxy
