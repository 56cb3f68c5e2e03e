#include "tee_proxy/slots.hpp"

#include "base/file.hpp"
#include "tee_proxy/kept_files.hpp"
#include "wire/signed.hpp"

namespace tcfdl::tee_proxy {
namespace {

constexpr std::size_t kPrivateKey = 32;
constexpr std::size_t kLargestSlot = std::size_t{256} << 10U;

Result<Slot> parse_slot(BytesView content) {
  if (content.size() < 2 * kPrivateKey) return Error(Code::kDataLoss, "it is cut short");
  TCFDL_ASSIGN(auto signing, crypto::SigningKey::from_private_bytes(content.first(kPrivateKey)));
  TCFDL_ASSIGN(auto sealing, crypto::HpkePrivateKey::from_bytes(content.subspan(kPrivateKey, kPrivateKey)));
  TCFDL_ASSIGN(auto stored, wire::parse<wire::StoredSlot>(content.subspan(2 * kPrivateKey)));
  return make_slot(std::move(signing), std::move(sealing), std::move(stored));
}

Result<Slot> read_slot(const std::filesystem::path& file) {
  TCFDL_ASSIGN(auto content, read_file(file, kLargestSlot));
  auto slot = parse_slot(content);
  crypto::wipe(content);
  return slot;
}

crypto::SecretBytes serialize(const Slot& slot) {
  const auto stored = slot.stored.SerializeAsString();
  const auto keys = private_keys(slot);
  crypto::SecretBytes content(keys.size() + stored.size());
  std::ranges::copy(keys.span(), content.data());
  std::ranges::copy(stored, content.data() + keys.size());
  return content;
}

} // namespace

SlotKind kind_of(const LaunchRecord& record) {
  return {record.function, record.role == wire::ROLE_GATEWAY ? record.instance : "", record.measurement, record.layers};
}

Result<Slot> make_slot(crypto::SigningKey signing, crypto::HpkePrivateKey sealing, wire::StoredSlot stored) {
  TCFDL_ASSIGN(const auto statement, wire::parse<wire::InstanceStatement>(stored.statement().statement()));
  TCFDL_ASSIGN(const auto certificate, wire::parse<wire::Certificate>(stored.granted().certificate().statement()));
  TCFDL_ASSIGN(const auto descriptor, wire::parse<wire::Descriptor>(stored.granted().descriptor().statement()));
  const auto measurement = as_bytes(statement.measurement());
  Slot slot{std::move(signing),
            std::move(sealing),
            std::move(stored),
            statement.instance(),
            {statement.function(),
             statement.role() == wire::ROLE_GATEWAY ? statement.instance() : "",
             {measurement.begin(), measurement.end()},
             {statement.layers().begin(), statement.layers().end()}},
            descriptor.version(),
            wire::lifetime_of(certificate)};
  const bool fits = certificate.subject() == slot.instance && certificate.role() == statement.role() &&
                    descriptor.name() == slot.kind.function &&
                    certificate.verify_key() == wire::field(slot.signing.public_key().bytes()) &&
                    certificate.seal_key() == wire::field(slot.sealing.public_key().bytes());
  if (fits) return slot;
  return Error(Code::kDataLoss, "keys, statement, certificate and descriptor are not of one instance");
}

crypto::SecretBytes private_keys(const Slot& slot) {
  crypto::SecretBytes keys(2 * kPrivateKey);
  std::ranges::copy(slot.signing.private_bytes().span(), keys.data());
  std::ranges::copy(slot.sealing.private_bytes().span(), keys.data() + kPrivateKey);
  return keys;
}

Result<std::unique_ptr<Slots>> Slots::open(std::filesystem::path directory) {
  std::unique_ptr<Slots> slots(new Slots(std::move(directory)));
  TCFDL_TRY(take_kept_files(slots->directory_, "is no slot", [&slots](const auto& file) -> Status {
    TCFDL_ASSIGN(auto slot, read_slot(file));
    auto name = slot.instance;
    if (name != file.filename().string()) return make_error(Code::kDataLoss, "it is the slot of {}", name);
    slots->slots_.emplace(std::move(name), std::make_shared<const Slot>(std::move(slot)));
    return {};
  }));
  return slots;
}

Status Slots::add(Slot slot) {
  auto shared = std::make_shared<const Slot>(std::move(slot));
  const auto content = serialize(*shared);
  TCFDL_TRY(write_file(directory_ / shared->instance, content.span(), kPrivateFile));
  const std::scoped_lock lock(mutex_);
  slots_.insert_or_assign(shared->instance, shared);
  return {};
}

Slots::SlotPtr Slots::take(const std::string& instance, const SlotKind& kind) {
  const std::scoped_lock lock(mutex_);
  const auto found = slots_.find(instance);
  if (found == slots_.end() || found->second->kind != kind) return nullptr;
  auto slot = found->second;
  slots_.erase(found);
  remove_kept_file(directory_ / instance);
  return slot;
}

std::size_t Slots::erase_if(const std::function<bool(const Slot&)>& is_void) {
  const std::scoped_lock lock(mutex_);
  return std::erase_if(slots_, [&](const auto& entry) {
    if (!is_void(*entry.second)) return false;
    remove_kept_file(directory_ / entry.first);
    return true;
  });
}

std::vector<Slots::SlotPtr> Slots::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<SlotPtr> slots;
  slots.reserve(slots_.size());
  for (const auto& [instance, slot] : slots_) slots.push_back(slot);
  return slots;
}

} // namespace tcfdl::tee_proxy
