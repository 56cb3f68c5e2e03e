// The message queue over TLS: who is admitted and who is not.
#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"
#include "message_queue_fixture.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

namespace tcfdl::message_queue {
namespace {

using crypto::SigningKey;
using testing::HasSubstr;

const std::string kName = "west.cluster.tcfdl.internal";

std::string pem_of(const crypto::Certificate& certificate) { return crypto::to_pem(certificate.der(), "CERTIFICATE"); }

/// An authority with one server's certificate.
struct TlsWorld {
  UnixSeconds now = SystemClock().now();
  SigningKey authority = SigningKey::generate();
  SigningKey server = SigningKey::generate();
  crypto::Certificate root = crypto::make_tls_root(authority, "tcfdl.internal", {now - 86'400, now + 10 * 86'400});

  [[nodiscard]] crypto::Certificate certificate(const std::string& name, std::int64_t lifetime = 86'400) const {
    return crypto::issue_tls_certificate(authority, root, {server.public_key(), {name}, {now - 7200, now + lifetime}})
        .value();
  }
  [[nodiscard]] ServerTls server_tls(const std::string& name, std::int64_t lifetime = 86'400) const {
    return {pem_of(certificate(name, lifetime)),
            std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(server))};
  }
  [[nodiscard]] TlsTrust trust(const std::string& name = kName) const { return {pem_of(root), name}; }
};

class TlsQueue : public testing::Test {
protected:
  std::unique_ptr<EmbeddedServer> start(const std::string& directory, std::optional<ServerTls> tls) {
    ServerSettings settings;
    settings.state_directory = directory_.path() / directory;
    settings.port = ports_.emplace_back(ReservedPort::pick().value()).number();
    settings.trust = trust_.trust().value();
    settings.tls = std::move(tls);
    auto server = std::make_unique<EmbeddedServer>(settings);
    const auto started = server->start();
    if (!started) throw std::runtime_error(started.error().to_string());
    return server;
  }
  Result<std::unique_ptr<NatsBus>> connect(std::uint16_t port, std::optional<TlsTrust> tls) const {
    auto settings = settings_for(port, "alice", trust_.user("alice", every_permission()).value());
    settings.tls = std::move(tls);
    settings.retry_first_connect = true; // as daemons do: a refusal is a refusal all the same
    return NatsBus::connect(settings);
  }
  void expect_refused(std::uint16_t port, std::optional<TlsTrust> tls, const std::string& words) const {
    const auto bus = connect(port, std::move(tls));
    ASSERT_FALSE(bus);
    EXPECT_EQ(bus.error().code(), Code::kUnauthenticated) << bus.error().to_string();
    EXPECT_THAT(bus.error().message(), HasSubstr(words));
  }

  TemporaryDirectory directory_;
  std::vector<ReservedPort> ports_;
  LocalTrust trust_;
  TlsWorld world_;
};

/// Relays one connection after the other between a client and a server; what the server says first goes through `edit`.
class Relay {
public:
  using Edit = std::function<std::string(std::string)>;
  Relay(std::uint16_t to, Edit edit) : to_(to), edit_(std::move(edit)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto here = address(0);
    socklen_t size = sizeof(here);
    auto* generic = reinterpret_cast<sockaddr*>(&here);
    const bool good = ::bind(listener_.get(), generic, size) == 0 && ::listen(listener_.get(), 8) == 0 &&
                      ::getsockname(listener_.get(), generic, &size) == 0;
    if (!good) throw std::runtime_error("no relay");
    port_ = ntohs(here.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// What the client sent in the clear or otherwise.
  [[nodiscard]] std::string heard() const {
    return heard_.with([](const std::string& text) { return text; });
  }

private:
  static sockaddr_in address(std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    result.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return result;
  }
  void run() {
    for (;;) {
      const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client.valid()) return;
      const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto there = address(to_);
      if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&there), sizeof(there)) != 0) continue;
      std::string greeting;
      while (greeting.find('\n') == std::string::npos && pass(server, greeting)) {
      }
      (void)write_all(client.get(), as_bytes(edit_(greeting)));
      std::thread back([&] {
        for (std::string part; pass(server, part); part.clear()) (void)write_all(client.get(), as_bytes(part));
        ::shutdown(client.get(), SHUT_RDWR);
      });
      for (std::string part; pass(client, part); part.clear()) {
        heard_.with([&](std::string& text) { text += part; });
        (void)write_all(server.get(), as_bytes(part));
      }
      ::shutdown(server.get(), SHUT_RDWR);
      back.join();
    }
  }
  static bool pass(const UniqueFd& from, std::string& into) {
    std::array<char, 4096> part{};
    const auto got = ::read(from.get(), part.data(), part.size());
    if (got <= 0) return false;
    into.append(part.data(), static_cast<std::size_t>(got));
    return true;
  }

  std::uint16_t to_;
  Edit edit_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  Guarded<std::string> heard_;
  std::thread thread_;
};

std::string unchanged(std::string text) { return text; }

TEST_F(TlsQueue, CarriesRequestsBetweenThoseWhoKnowTheRoot) {
  const auto server = start("nats", world_.server_tls(kName));
  const Relay wire(server->settings().port, unchanged);
  const auto bus = connect(wire.port(), world_.trust());
  ASSERT_TRUE(bus) << bus.error().to_string();
  const auto service = (*bus)->serve("echo", [](BytesView body) -> Result<Bytes> { return to_bytes(as_text(body)); });
  EXPECT_EQ((*bus)->request("echo", as_bytes("a secret"), soon()).value(), to_bytes("a secret"));
  EXPECT_THAT(wire.heard(), testing::Not(HasSubstr("a secret")));
  EXPECT_THAT(wire.heard(), testing::Not(HasSubstr("CONNECT")));
}

TEST_F(TlsQueue, RefusesAServerOfAnotherAuthority) {
  const TlsWorld rogue;
  const auto server = start("nats", rogue.server_tls(kName));
  expect_refused(server->settings().port, world_.trust(), "does not prove that it is " + kName);
}

TEST_F(TlsQueue, RefusesAServerWhoseCertificateHasExpired) {
  const auto server = start("nats", world_.server_tls(kName, -3600));
  expect_refused(server->settings().port, world_.trust(), "expired");
}

TEST_F(TlsQueue, RefusesAnotherNodesServer) {
  const auto server = start("nats", world_.server_tls("east.cluster.tcfdl.internal"));
  expect_refused(server->settings().port, world_.trust(), "does not prove that it is " + kName);
}

TEST_F(TlsQueue, RefusesAPlainClient) {
  const auto server = start("nats", world_.server_tls(kName));
  expect_refused(server->settings().port, std::nullopt, "demands TLS");
}

TEST_F(TlsQueue, RefusesAPlainServer) {
  const auto server = start("nats", std::nullopt);
  expect_refused(server->settings().port, world_.trust(), "offers no TLS");
}

TEST_F(TlsQueue, RefusesAManInTheMiddleWithHisOwnCertificate) {
  const TlsWorld rogue;
  const auto mans_end = start("rogue", rogue.server_tls(kName));
  const Relay man(mans_end->settings().port, unchanged);
  expect_refused(man.port(), world_.trust(), "does not prove that it is " + kName);
  EXPECT_THAT(man.heard(), testing::Not(HasSubstr("CONNECT"))); // nor did the user's JWT leave
}

TEST_F(TlsQueue, RefusesAManInTheMiddleWhoStripsTls) {
  const auto server = start("nats", world_.server_tls(kName));
  const Relay man(server->settings().port, [](std::string info) {
    const std::string wanted = "\"tls_required\":true";
    const auto at = info.find(wanted);
    return at == std::string::npos ? info : info.replace(at, wanted.size(), "\"tls_required\":false");
  });
  expect_refused(man.port(), world_.trust(), "offers no TLS");
  EXPECT_THAT(man.heard(), testing::Not(HasSubstr("CONNECT")));
}

TEST_F(TlsQueue, SpeaksNoOlderTls) {
  const auto server = start("nats", world_.server_tls(kName));
  const Relay quiet(server->settings().port, [](const std::string&) { return std::string(); }); // TLS from the start
  const auto handshake = [&](const std::string& version) {
    const auto command =
        fmt::format("openssl s_client {} -connect 127.0.0.1:{} </dev/null 2>&1", version, quiet.port());
    const std::unique_ptr<FILE, int (*)(FILE*)> output(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t got = 1; output && got > 0; text.append(part.data(), got)) {
      got = std::fread(part.data(), 1, part.size(), output.get());
    }
    return text;
  };
  const auto present = handshake("-tls1_3");
  if (!present.contains("CONNECTED")) GTEST_SKIP() << "there is no openssl: " << present;
  EXPECT_THAT(present, HasSubstr("New, TLSv1.3"));
  EXPECT_THAT(handshake("-tls1_2"), HasSubstr("no peer certificate available"));
}

TEST_F(TlsQueue, RefusesAUserWithoutTheKeyInsideOfTls) {
  const auto server = start("nats", world_.server_tls(kName));
  auto settings =
      settings_for(server->settings().port, "mallory", LocalTrust().user("mallory", every_permission()).value());
  settings.tls = world_.trust();
  const auto bus = NatsBus::connect(settings);
  ASSERT_FALSE(bus);
  EXPECT_EQ(bus.error().code(), Code::kUnauthenticated) << bus.error().to_string();
}

TEST_F(TlsQueue, ConnectsToNoOtherMachineWithoutTls) {
  auto settings = settings_for(4222, "alice", nullptr);
  settings.host = "192.0.2.1";
  EXPECT_EQ(NatsBus::connect(settings).error().code(), Code::kInvalidArgument);
}

TEST_F(TlsQueue, ARenewedCertificateIsShownAndDropsNobody) {
  const auto server = start("nats", world_.server_tls(kName));
  const auto port = server->settings().port;
  const auto early = connect(port, world_.trust());
  ASSERT_TRUE(early) << early.error().to_string();
  std::atomic<int> losses = 0;
  (*early)->on_state([&](BusState state) { losses += state == BusState::kDisconnected ? 1 : 0; });
  const auto service = (*early)->serve("echo", [](BytesView body) -> Result<Bytes> { return to_bytes(as_text(body)); });
  // The new one is for another name, so that it is seen when it is in force.
  const std::string renamed = "renamed.cluster.tcfdl.internal";
  ASSERT_TRUE(server->set_certificate(pem_of(world_.certificate(renamed))));
  ASSERT_TRUE(eventually([&] { return connect(port, world_.trust(renamed)).has_value(); }));
  EXPECT_TRUE((*early)->request("echo", as_bytes("still here"), soon()));
  EXPECT_TRUE((*early)->connected());
  EXPECT_EQ(losses, 0);
  EXPECT_EQ(server->restarts(), 0U);
  expect_refused(port, world_.trust(), "does not prove that it is " + kName);
}

} // namespace
} // namespace tcfdl::message_queue
