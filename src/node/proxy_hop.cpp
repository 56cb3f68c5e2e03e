#include "node/proxy_hop.hpp"

#include "collaboration/stream_connection.hpp"
#include "crypto/random.hpp"
#include "wire/messages.hpp"
#include "wire/socket.hpp"

#include <thread>

namespace tcfdl::node {
namespace {

/// The connection towards the caller, with the carrying of the other one behind it.
class ProxyHop final : public wire::Connection {
public:
  ProxyHop(std::unique_ptr<wire::Connection> towards_caller, std::unique_ptr<wire::Connection> from_proxy,
           std::unique_ptr<wire::Connection> onward)
      : towards_caller_(std::move(towards_caller)), from_proxy_(std::move(from_proxy)), onward_(std::move(onward)),
        carrier_([this] { collaboration::splice(*from_proxy_, *onward_); }) {}
  ProxyHop(const ProxyHop&) = delete;
  ProxyHop& operator=(const ProxyHop&) = delete;
  ~ProxyHop() override {
    shutdown();
    carrier_.join();
  }

  Status send(wire::FrameKind kind, BytesView payload, Deadline deadline) override {
    return towards_caller_->send(kind, payload, deadline);
  }
  Result<wire::FrameKind> receive(Bytes& payload, Deadline deadline) override {
    return towards_caller_->receive(payload, deadline);
  }
  void shutdown() noexcept override {
    towards_caller_->shutdown();
    from_proxy_->shutdown();
    onward_->shutdown();
  }
  [[nodiscard]] int descriptor() const noexcept override { return towards_caller_->descriptor(); }

private:
  std::unique_ptr<wire::Connection> towards_caller_;
  std::unique_ptr<wire::Connection> from_proxy_;
  std::unique_ptr<wire::Connection> onward_;
  std::thread carrier_;
};

Result<std::unique_ptr<wire::Connection>> open_side(const wire::Address& proxy, BytesView session, bool onward,
                                                    Deadline deadline) {
  TCFDL_ASSIGN(std::unique_ptr<wire::Connection> connection, wire::connect(proxy, deadline));
  wire::ProxyRequest request;
  request.mutable_hop()->set_session(wire::field(session));
  request.mutable_hop()->set_onward(onward);
  TCFDL_TRY(wire::send_message(*connection, request, deadline));
  return connection;
}

} // namespace

Result<std::unique_ptr<wire::Connection>> through_proxy(const wire::Address& proxy,
                                                        std::unique_ptr<wire::Connection> onward, Deadline deadline) {
  const auto session = crypto::random_array<32>();
  TCFDL_ASSIGN(auto from_proxy, open_side(proxy, session, true, deadline));
  TCFDL_ASSIGN(auto towards_caller, open_side(proxy, session, false, deadline));
  return std::make_unique<ProxyHop>(std::move(towards_caller), std::move(from_proxy), std::move(onward));
}

} // namespace tcfdl::node
