#include "wire/tls_connection.hpp"

#include "crypto/pem.hpp"
#include "crypto/random.hpp"
#include "crypto/tls_certificate.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const std::string kServer = "west.cluster.tcfdl.internal";
const Address kHere = TcpAddress{"127.0.0.1", 0};

std::string pem(const crypto::Certificate& certificate) { return crypto::to_pem(certificate.der(), "CERTIFICATE"); }

/// An authority, and a server that it certifies.
struct Authority {
  UnixSeconds now = SystemClock().now();
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::SigningKey server_key = crypto::SigningKey::generate();
  crypto::Certificate root = crypto::make_tls_root(key, "tcfdl.internal", {now - 1000, now + 1000});

  [[nodiscard]] crypto::TlsContext server() const {
    const auto leaf = crypto::issue_tls_certificate(key, root, {server_key.public_key(), {kServer}, {now, now + 900}});
    return crypto::TlsContext::server(pem(leaf.value()), crypto::private_key_pem(server_key).span()).value();
  }
  [[nodiscard]] crypto::TlsContext client() const { return crypto::TlsContext::client(pem(root)).value(); }
};

class TlsConnections : public testing::Test {
protected:
  std::unique_ptr<Listener> listen(const Listener::Serve& serve) {
    return listen_tls(kHere, {.name = "test"}, [this] { return authority_.server(); }, serve).value();
  }
  Result<std::unique_ptr<Connection>> connect_to(const Listener& listener, const std::string& name = kServer) {
    return connect_tls(listener.address(), authority_.client(), name, Deadline::after(seconds(20)));
  }

  Authority authority_;
};

void echo(Connection& connection) {
  Bytes payload;
  for (;;) {
    const auto kind = connection.receive(payload, Deadline::after(seconds(20)));
    if (!kind || !connection.send(*kind, payload, Deadline::after(seconds(20)))) return;
  }
}

TEST_F(TlsConnections, CarryFramesOfEverySizeWhileBothSidesSend) {
  const auto listener = listen(echo);
  const auto connection = connect_to(*listener).value();
  std::vector<Bytes> sent;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{70'000}, kMaxFrame, kMaxFrame, kMaxFrame}) {
    crypto::random_bytes(sent.emplace_back(size));
  }
  // The sender does not wait for echoes, which are more than the sockets hold.
  auto sending = std::async(std::launch::async, [&] {
    for (const auto& frame : sent) {
      if (!connection->send(FrameKind::kSegment, frame, Deadline::after(seconds(20)))) return;
    }
  });
  Bytes got;
  for (const auto& frame : sent) {
    ASSERT_EQ(connection->receive(got, Deadline::after(seconds(20))).value(), FrameKind::kSegment);
    EXPECT_EQ(got, frame);
  }
  sending.get();
}

TEST_F(TlsConnections, AreNotMadeToAnotherServerOrRoot) {
  const auto listener = listen(echo);
  const auto named = connect_to(*listener, "east.cluster.tcfdl.internal");
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().code(), Code::kUnauthenticated);
  const auto foreign = connect_tls(listener->address(), Authority().client(), kServer, Deadline::after(seconds(20)));
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(foreign.error().message(), HasSubstr(to_string(listener->address())));
}

TEST_F(TlsConnections, AreNotServedToPeersWithoutTls) {
  std::atomic<int> served = 0;
  {
    const auto listener = listen([&](Connection&) { ++served; });
    const auto plain = connect(listener->address(), Deadline::after(seconds(5))).value();
    ASSERT_TRUE(plain->send(FrameKind::kMessage, as_bytes("hello"), Deadline::after(seconds(5))));
    Bytes payload;
    EXPECT_FALSE(plain->receive(payload, Deadline::after(seconds(20))));
  }
  EXPECT_EQ(served, 0);
}

TEST_F(TlsConnections, EndWithTheirPeerAndAtTheDeadline) {
  auto listener = listen([](Connection& connection) {
    Bytes payload;
    (void)connection.receive(payload, Deadline::after(seconds(20)));
  });
  const auto connection = connect_to(*listener).value();
  Bytes payload;
  EXPECT_EQ(connection->receive(payload, Deadline::after(milliseconds(20))).error().code(), Code::kDeadlineExceeded);
  ASSERT_TRUE(connection->send(FrameKind::kMessage, {}, Deadline::after(seconds(5))));
  EXPECT_EQ(connection->receive(payload, Deadline::after(seconds(20))).error().code(), Code::kUnavailable);
}

TEST_F(TlsConnections, OfSilentPeersDoNotHoldUpOthersNorTheEnd) {
  auto listener = listen(echo);
  const auto silent = connect(listener->address(), Deadline::after(seconds(5))).value();
  const auto connection = connect_to(*listener).value();
  ASSERT_TRUE(connection->send(FrameKind::kMessage, as_bytes("x"), Deadline::after(seconds(5))));
  Bytes payload;
  EXPECT_TRUE(connection->receive(payload, Deadline::after(seconds(20))));
  const auto begun = Deadline::after(seconds(8)); // the handshake's time is longer
  listener->stop();
  EXPECT_FALSE(begun.expired());
}

} // namespace
} // namespace tcfdl::wire
