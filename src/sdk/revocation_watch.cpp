#include "sdk/revocation_watch.hpp"

#include "base/log.hpp"

namespace tcfdl::sdk {
namespace {

/// Longer than the proxy waits.
constexpr std::chrono::seconds kAnswerTime{25};

} // namespace

Result<std::unique_ptr<RevocationWatch>> RevocationWatch::start(const wire::Address& proxy,
                                                                wire::Revocations& revocations, OnAnswer on_answer,
                                                                Deadline deadline) {
  TCFDL_ASSIGN(auto connection, wire::connect(proxy, deadline));
  std::unique_ptr<RevocationWatch> watch(new RevocationWatch(std::move(connection), revocations, std::move(on_answer)));
  TCFDL_TRY(watch->ask(true, deadline));
  watch->thread_ = std::thread([raw = watch.get()] { raw->run(); });
  return watch;
}

RevocationWatch::~RevocationWatch() {
  connection_->shutdown();
  if (thread_.joinable()) thread_.join();
}

Status RevocationWatch::ask(bool at_once, Deadline deadline) {
  wire::ProxyRequest request;
  request.mutable_watch()->set_known(revocations_.number());
  request.mutable_watch()->set_at_once(at_once);
  TCFDL_ASSIGN(const auto reply, wire::exchange<wire::ProxyReply>(*connection_, request, deadline));
  if (reply.has_error()) return wire::to_error(reply.error());
  bool is_newer = false;
  if (reply.has_revocations()) {
    TCFDL_ASSIGN(is_newer, revocations_.accept(reply.revocations()));
  }
  on_answer_(is_newer);
  return {};
}

/// Ends with the connection: the proxy lives as long as the processes that it started.
void RevocationWatch::run() {
  for (;;) {
    const auto answered = ask(false, Deadline::after(kAnswerTime));
    if (answered) continue;
    if (answered.error().code() != Code::kUnavailable) spdlog::warn("revocations: {}", answered.error().to_string());
    return;
  }
}

} // namespace tcfdl::sdk
