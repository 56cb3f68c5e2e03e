#include "node/revocation_relay.hpp"

#include "base/log.hpp"
#include "collaboration/subjects.hpp"

namespace tcfdl::node {
namespace {

using std::chrono::seconds;

constexpr seconds kAskEvery{5};

} // namespace

Result<std::unique_ptr<RevocationRelay>> RevocationRelay::start(const RevocationRelayParts& parts,
                                                                const std::filesystem::path& file,
                                                                const crypto::VerifyKey& authority) {
  TCFDL_ASSIGN(auto known, wire::Revocations::open(file, authority));
  std::unique_ptr<RevocationRelay> relay(new RevocationRelay(parts, std::move(known)));
  const auto on_list = [raw = relay.get()](const message_queue::Message& message) {
    if (const auto list = wire::parse<wire::Signed>(message.data)) raw->handle(*list);
  };
  auto subscribed = parts.service_manager_bus.subscribe(collaboration::kServiceRevocationsSubject, on_list);
  if (subscribed) {
    relay->subscription_ = *std::move(subscribed);
  } else { // its credential is of an older program
    spdlog::warn("revocation lists come late until the NATS credential is renewed: {}", subscribed.error().message());
  }
  relay->thread_ = std::thread([raw = relay.get()] { raw->run(); });
  return relay;
}

void RevocationRelay::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  subscription_.reset();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RevocationRelay::handle(const wire::Signed& unverified) {
  const auto is_newer = known_->accept(unverified);
  if (!is_newer) {
    spdlog::warn("a revocation list is refused: {}", is_newer.error().to_string());
  } else if (*is_newer) {
    spdlog::info("revocation list {} is in force", known_->number());
    tell();
  }
}

void RevocationRelay::on_node(std::uint64_t number) {
  if (number < known_->number()) tell();
}

void RevocationRelay::tell() {
  const auto told = parts_.bus.publish(collaboration::kRevocationsSubject, wire::serialize(known_->list()));
  if (!told) spdlog::debug("cannot tell the nodes of a revocation list: {}", told.error().message());
}

Status RevocationRelay::ask(Deadline deadline) {
  wire::AuthorityRequest request;
  request.mutable_revocations()->set_known(known_->number());
  TCFDL_ASSIGN(const auto reply, parts_.service_manager.ask(request, deadline));
  if (reply.has_revocations()) handle(reply.revocations());
  return {};
}

void RevocationRelay::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto asked = ask(Deadline::after(seconds(3)));
    if (!asked) spdlog::debug("no revocation list: {}", asked.error().message());
    lock.lock();
    wake_.wait_for(lock, kAskEvery, [this] { return stopping_; });
  }
}

} // namespace tcfdl::node
