// How the proxy keeps slots ready.
#include "base/log.hpp"
#include "tee_proxy/proxy.hpp"

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::seconds;

/// Of every function that this node provides. A gateway has one successor.
constexpr std::ptrdiff_t kSlotsAhead = 2;
/// How often slots are looked at, and how long a silent authority is left alone at most.
constexpr seconds kPrepareEvery{5};
constexpr seconds kLongestPause{60};
/// For one answer of the authority; others wait for their turn meanwhile.
constexpr seconds kPatience{5};

} // namespace

void TeeProxy::prepare_loop() {
  wanted_.with([&](auto& wanted) {
    for (const auto& slot : slots_->all()) wanted[slot->kind.function].kind = slot->kind;
  });
  for (auto pause = kPrepareEvery;;) {
    {
      std::unique_lock lock(mutex_);
      const bool patient = pause > kPrepareEvery;
      ending_changed_.wait_for(lock, pause, [&] { return ending_ || (prepare_ && !patient); });
      if (ending_) return;
      prepare_ = false;
    }
    const auto self = own();
    if (!self) continue;
    const auto prepared = prepare_slots(**self);
    if (!prepared) spdlog::info("no slots can be made now: {}", prepared.error().message());
    pause = prepared ? kPrepareEvery : std::min(pause * 2, kLongestPause);
  }
}

void TeeProxy::prepare_soon() {
  {
    const std::scoped_lock lock(mutex_);
    prepare_ = true;
  }
  ending_changed_.notify_all();
}

bool TeeProxy::is_void(const Slot& slot, const Own& self) const {
  const auto wanted = wanted_.with([&](const auto& all) {
    const auto found = all.find(slot.kind.function);
    return found != all.end() && found->second.kind == slot.kind;
  });
  return !wanted || !check_slot(slot, self);
}

/// The checks of an answer of the authority that comes from the disk.
Result<wire::Certificate> TeeProxy::check_slot(const Slot& slot, const Own& self) const {
  TCFDL_ASSIGN(auto certificate, wire::verify_certificate(self.authority, slot.stored.granted().certificate(),
                                                          {wire::ROLE_INSTANCE, wire::ROLE_GATEWAY}, clock_.now()));
  TCFDL_TRY(self.revocations->check(certificate));
  if (certificate.role() == wire::ROLE_GATEWAY) return certificate; // it processes nothing
  TCFDL_ASSIGN(const auto scope,
               wire::verify_key_package(self.authority, slot.stored.granted().proxy_key(), clock_.now()));
  TCFDL_TRY(self.revocations->check_in_force(scope.function(), scope.epoch()));
  return certificate;
}

/// Makes what is missing and forgets what is of no use any more. The error of an authority that cannot be asked.
Status TeeProxy::prepare_slots(const Own& self) {
  slots_->erase_if([&](const Slot& slot) { return is_void(slot, self); });
  tell_slots(); // before the authority is asked, which may take its time
  Status done;
  const auto wanted = wanted_.with([](const auto& all) { return all; });
  for (const auto& [function, each] : wanted) {
    done = prepare_slots(each);
    if (done) continue;
    if (done.error().unanswered()) break;
    spdlog::warn("no more slots for {}: {}", function, done.error().message());
    wanted_.with([&](auto& all) { // unless another version has attached since
      const auto found = all.find(function);
      if (found != all.end() && found->second.kind == each.kind) all.erase(found);
    });
    slots_->erase_if([&](const Slot& slot) { return slot.kind == each.kind; });
    done = {};
  }
  tell_slots();
  return done;
}

Status TeeProxy::prepare_slots(const Wanted& wanted) {
  const auto& kind = wanted.kind;
  const auto is_young = [&](const Slot& slot) { return slot.lifetime.until_half(clock_.now()) > seconds(0); };
  const auto all = slots_->all();
  const auto ready =
      std::ranges::count_if(all, [&](const auto& slot) { return slot->kind == kind && is_young(*slot); });
  const auto ahead = kind.gateway.empty() ? kSlotsAhead : 1;
  for (auto missing = ahead - ready; missing > 0; --missing) TCFDL_TRY(add_slot(kind));
  slots_->erase_if([&](const Slot& slot) { return slot.kind == kind && !is_young(slot); });
  for (const auto& slot : slots_->all()) {
    if (slot->kind != kind) continue;
    for (const auto& to : wanted.destinations) TCFDL_TRY(prepare_sending(*slot, to));
  }
  return {};
}

/// Fetches the keys with which a slot's process will send, where there are none yet. A refusal is no error: the process
/// hears it when it asks.
Status TeeProxy::prepare_sending(const Slot& slot, const Destination& to) {
  const auto& certificate = slot.stored.granted().certificate();
  TCFDL_ASSIGN(const auto holder, wire::parse<wire::Certificate>(certificate.statement()));
  if (sender_keys_->find(holder.verify_key(), to)) return {};
  wire::SenderKeys wanted;
  wanted.set_function(to.function);
  wanted.set_assurance(to.assurance);
  *wanted.mutable_certificate() = certificate;
  const auto granted = ask_sender_keys(wanted, holder, Deadline::after(kPatience));
  if (!granted && granted.error().unanswered()) return granted.error();
  if (!granted) spdlog::info("{} will not send to {}: {}", slot.instance, to.function, granted.error().message());
  return {};
}

Status TeeProxy::add_slot(const SlotKind& kind) {
  auto signing = crypto::SigningKey::generate();
  auto sealing = crypto::HpkePrivateKey::generate();
  const bool gateway = !kind.gateway.empty();
  LaunchRecord record{gateway ? kind.gateway : make_instance_id(FunctionName(kind.function)).str(), kind.function,
                      gateway ? wire::ROLE_GATEWAY : wire::ROLE_INSTANCE, kind.measurement, kind.layers};
  wire::StoredSlot stored;
  TCFDL_ASSIGN(*stored.mutable_statement(), state_instance(record, wire::field(signing.public_key().bytes()),
                                                           wire::field(sealing.public_key().bytes())));
  TCFDL_ASSIGN(*stored.mutable_granted(), ask_instance_keys(stored.statement(), Deadline::after(kPatience)));
  stored.mutable_granted()->clear_content_key(); // none is asked for, and none may lie here
  TCFDL_ASSIGN(auto slot, make_slot(std::move(signing), std::move(sealing), std::move(stored)));
  return slots_->add(std::move(slot));
}

/// The identity that was made ahead for a process, and its keys for its eyes only; nullopt where there is none that is
/// good.
std::optional<wire::ProxyReply> TeeProxy::take_slot(Attached& attached, std::string_view seal_to) {
  const auto& record = attached.record;
  const auto slot = slots_->take(record.instance, kind_of(record));
  if (!slot) return std::nullopt;
  tell_slots();
  auto taken = adopt_slot(attached, *slot, seal_to);
  if (taken) return *std::move(taken);
  spdlog::warn("the slot of {} is not used: {}", record.instance, taken.error().message());
  return std::nullopt;
}

Result<wire::ProxyReply> TeeProxy::adopt_slot(Attached& attached, const Slot& slot, std::string_view seal_to) {
  TCFDL_ASSIGN(const auto self, own());
  TCFDL_ASSIGN(auto certificate, check_slot(slot, *self));
  TCFDL_ASSIGN(auto reply, adopt_instance_keys(attached, slot.stored.granted(), std::move(certificate)));
  const auto keys = private_keys(slot);
  TCFDL_ASSIGN(const auto sealed,
               crypto::hpke_seal(as_bytes(seal_to), as_bytes(attached.certificate.statement()), {}, keys.span()));
  reply.mutable_attached()->set_slot_keys(wire::field(sealed));
  spdlog::info("{} starts with an identity that was made ahead", attached.record.instance);
  return reply;
}

/// Tells the daemon which slots there are, if they are others than before.
void TeeProxy::tell_slots() {
  told_.with([this](auto& before) { // to its end, so that the newest is told last
    wire::PreparedSlots prepared;
    for (const auto& slot : slots_->all()) {
      auto& told = *prepared.add_slots();
      told.set_instance(slot->instance);
      told.set_function(slot->kind.function);
      told.set_version(slot->version);
    }
    auto text = prepared.SerializeAsString();
    if (text == before) return;
    before = std::move(text);
    callbacks_.on_slots(prepared);
  });
}

bool TeeProxy::has_slot(const SlotKind& kind) const {
  return std::ranges::any_of(slots_->all(), [&](const auto& slot) { return slot->kind == kind; });
}

} // namespace tcfdl::tee_proxy
