#include "cli/bench_floors.hpp"

#include "base/file.hpp"
#include "base/reserved_port.hpp"
#include "crypto/aead.hpp"
#include "crypto/random.hpp"
#include "message_queue/local_trust.hpp"
#include "message_queue/nats_bus.hpp"
#include "message_queue/server.hpp"
#include "wire/socket.hpp"

#include <array>
#include <fcntl.h>
#include <sys/socket.h>
#include <thread>

namespace tcfdl::cli {
namespace {

using std::chrono::seconds;

constexpr std::size_t kReply = 64;
constexpr const char* kSubject = "bench.sink";

bool read_whole(int fd, std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const auto got = ::recv(fd, out.data(), out.size(), 0);
    if (got <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

/// Requests are a length of 8 bytes and that many bytes.
void serve_tcp(int listener) {
  const UniqueFd fd(::accept(listener, nullptr, nullptr));
  Bytes body;
  std::uint64_t size = 0;
  const std::array<std::uint8_t, kReply> reply{};
  while (read_whole(fd.get(), {reinterpret_cast<std::uint8_t*>(&size), sizeof(size)})) {
    body.resize(size);
    if (!read_whole(fd.get(), body) || !write_all(fd.get(), reply)) return;
  }
}

Result<std::unique_ptr<message_queue::NatsBus>> connect_bus(const message_queue::LocalTrust& trust,
                                                            std::uint16_t port) {
  message_queue::NatsBusSettings settings;
  settings.port = port;
  settings.name = "bench";
  TCFDL_ASSIGN(settings.credential, trust.user(settings.name, message_queue::every_permission()));
  settings.workers = 1;
  return message_queue::NatsBus::connect(settings);
}

} // namespace

class Floors::Impl {
public:
  Status start() {
    TCFDL_ASSIGN(auto reserved, ReservedPort::pick());
    const auto port = port_.emplace(std::move(reserved)).number();
    message_queue::ServerSettings settings;
    settings.state_directory = root_.path() / "nats";
    settings.port = port;
    const message_queue::LocalTrust trust;
    TCFDL_ASSIGN(settings.trust, trust.trust());
    settings.max_payload = std::size_t{8} << 20U;
    server_ = std::make_unique<message_queue::EmbeddedServer>(std::move(settings));
    TCFDL_TRY(server_->start());
    TCFDL_ASSIGN(responder_, connect_bus(trust, port));
    TCFDL_ASSIGN(requester_, connect_bus(trust, port));
    TCFDL_ASSIGN(service_, responder_->serve(kSubject, [](BytesView body) -> Result<Bytes> {
      return Bytes(body.begin(), body.begin() + kReply);
    }));
    TCFDL_ASSIGN(listener_, wire::listen_on(wire::TcpAddress{"127.0.0.1", 0}, wire::Exposure::kLoopback));
    TCFDL_ASSIGN(const auto address, wire::bound_address(listener_.get(), wire::TcpAddress{"127.0.0.1", 0}));
    echo_ = std::jthread([this] { serve_tcp(listener_.get()); });
    TCFDL_ASSIGN(connection_, wire::connect(address, Deadline::after(seconds(5))));
    ::fcntl(connection_->descriptor(), F_SETFL, 0); // blocking: the floor waits for nothing else
    return {};
  }
  ~Impl() {
    if (connection_) connection_->shutdown();
    ::shutdown(listener_.get(), SHUT_RDWR);
  }

  Status tcp(const Bytes& body) {
    const auto fd = connection_->descriptor();
    const std::uint64_t size = body.size();
    TCFDL_TRY(write_all(fd, {reinterpret_cast<const std::uint8_t*>(&size), sizeof(size)}));
    TCFDL_TRY(write_all(fd, body));
    std::array<std::uint8_t, kReply> reply{};
    if (read_whole(fd, reply)) return {};
    return Error(Code::kUnavailable, "the echo ended");
  }

  Status nats(const Bytes& body) {
    TCFDL_TRY(requester_->request(kSubject, body, Deadline::after(seconds(30))));
    return {};
  }

private:
  TemporaryDirectory root_;
  std::optional<ReservedPort> port_;
  std::unique_ptr<message_queue::EmbeddedServer> server_;
  std::unique_ptr<message_queue::NatsBus> responder_;
  std::unique_ptr<message_queue::NatsBus> requester_;
  message_queue::Subscription service_;
  UniqueFd listener_;
  std::unique_ptr<wire::SocketConnection> connection_;
  std::jthread echo_;
};

Floors::Floors(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Floors::~Floors() = default;

Result<std::unique_ptr<Floors>> Floors::start() {
  auto impl = std::make_unique<Impl>();
  TCFDL_TRY(impl->start());
  return std::unique_ptr<Floors>(new Floors(std::move(impl)));
}

Operation Floors::tcp(const Bytes& body) {
  return [this, &body] { return impl_->tcp(body); };
}

Operation Floors::tcp_sealed(const Bytes& body) {
  auto sealed = std::make_shared<Bytes>(body.size() + crypto::kAeadTagSize);
  auto key = std::make_shared<crypto::AeadKey>(crypto::random_array<crypto::kAeadKeySize>());
  return [this, &body, sealed = std::move(sealed), key = std::move(key)]() -> Status {
    const crypto::AeadNonce nonce{};
    TCFDL_TRY(key->seal(nonce, {}, body, *sealed));
    TCFDL_TRY(impl_->tcp(body));
    return key->open(nonce, {}, *sealed, std::span(*sealed).first(body.size()));
  };
}

Operation Floors::nats(const Bytes& body) {
  return [this, &body] { return impl_->nats(body); };
}

} // namespace tcfdl::cli
