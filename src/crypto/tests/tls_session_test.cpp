#include "crypto/tls_session.hpp"

#include "crypto/pem.hpp"
#include "crypto/tls_certificate.hpp"

#include <gmock/gmock.h>

namespace tcfdl::crypto {
namespace {

using testing::HasSubstr;

const std::string kServer = "west.cluster.tcfdl.internal";

std::string text_form(const Certificate& certificate) { return to_pem(certificate.der(), "CERTIFICATE"); }

/// An authority and a key that it certifies.
struct Side {
  UnixSeconds now = SystemClock().now();
  SigningKey authority = SigningKey::generate();
  SigningKey key = SigningKey::generate();
  Certificate root = make_tls_root(authority, "tcfdl.internal", {now - 10'000, now + 10'000});

  [[nodiscard]] Certificate leaf(const std::string& name, UnixSeconds lasts = 1000) const {
    return issue_tls_certificate(authority, root, {key.public_key(), {name}, {now - 5000, now + lasts}}).value();
  }
  [[nodiscard]] TlsContext server(const std::string& name = kServer, UnixSeconds lasts = 1000,
                                  const std::string& client_root = {}) const {
    return TlsContext::server(text_form(leaf(name, lasts)), private_key_pem(key).span(), client_root).value();
  }
};

/// Passes bytes until both are done or one refuses.
Status shake(TlsSession& client, TlsSession& server) {
  for (int round = 0; round < 10; ++round) {
    const auto client_done = client.handshake();
    server.feed(client.take_output());
    if (!client_done) return client_done.error();
    const auto server_done = server.handshake();
    client.feed(server.take_output());
    if (!server_done) return server_done.error();
    if (*client_done && *server_done) return {};
  }
  return Error(Code::kDeadlineExceeded, "no end");
}

class Tls : public testing::Test {
protected:
  Status meet(const TlsContext& server_context) {
    server_ = std::make_unique<TlsSession>(TlsSession::accept(server_context));
    client_ = std::make_unique<TlsSession>(TlsSession::connect(client_context_, kServer));
    return shake(*client_, *server_);
  }

  Side side_;
  TlsContext client_context_ = TlsContext::client(text_form(side_.root)).value();
  std::unique_ptr<TlsSession> server_;
  std::unique_ptr<TlsSession> client_;
};

std::string read_all(TlsSession& session) {
  std::string text;
  std::array<std::uint8_t, 1000> part{};
  for (;;) {
    const auto got = session.read(part);
    if (!got || *got == 0) return text;
    text += as_text(BytesView(part).first(*got));
  }
}

TEST_F(Tls, CarriesBytesBothWaysAndTellsTheEnd) {
  const auto met = meet(side_.server());
  ASSERT_TRUE(met) << met.error().to_string();
  ASSERT_TRUE(client_->write(as_bytes("a question")));
  const auto sealed = client_->take_output();
  EXPECT_THAT(std::string(as_text(sealed)), testing::Not(HasSubstr("question")));
  server_->feed(BytesView(sealed).first(5)); // half a record is nothing yet
  EXPECT_EQ(read_all(*server_), "");
  server_->feed(BytesView(sealed).subspan(5));
  EXPECT_EQ(read_all(*server_), "a question");
  const std::string large(100'000, 'x');
  ASSERT_TRUE(server_->write(as_bytes(large)));
  server_->close();
  client_->feed(server_->take_output());
  EXPECT_EQ(read_all(*client_), large);
  EXPECT_TRUE(client_->ended());
  EXPECT_FALSE(server_->ended());
}

TEST_F(Tls, RefusesAServerThatDoesNotProveWhoItIs) {
  const Side rogue;
  const auto other_root = meet(rogue.server());
  EXPECT_EQ(other_root.error().code(), Code::kUnauthenticated);
  const auto other_name = meet(side_.server("east.cluster.tcfdl.internal"));
  EXPECT_EQ(other_name.error().code(), Code::kUnauthenticated);
  EXPECT_THAT(other_name.error().message(), HasSubstr("hostname mismatch"));
  const auto expired = meet(side_.server(kServer, -1000));
  EXPECT_THAT(expired.error().message(), HasSubstr("expired"));
}

TEST_F(Tls, RefusesChangedRecordsAndWhatIsNoTls) {
  ASSERT_TRUE(meet(side_.server()));
  ASSERT_TRUE(client_->write(as_bytes("a question")));
  auto sealed = client_->take_output();
  sealed.back() ^= 1U;
  server_->feed(sealed);
  std::array<std::uint8_t, 100> part{};
  EXPECT_EQ(server_->read(part).error().code(), Code::kInvalidArgument);
  auto plain = TlsSession::accept(side_.server());
  plain.feed(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(plain.handshake().error().code(), Code::kInvalidArgument);
}

TEST_F(Tls, KnowsAClientByItsCertificateWhereOneIsAskedFor) {
  const Side rogue;
  const auto asking = side_.server(kServer, 1000, text_form(side_.root));
  ASSERT_TRUE(meet(asking));
  EXPECT_TRUE(server_->peer_certificate().empty()) << "none is fine as well";
  const auto own = side_.leaf("client.tcfdl.internal");
  client_context_ =
      TlsContext::client(text_form(side_.root), text_form(own), private_key_pem(side_.key).span()).value();
  ASSERT_TRUE(meet(asking));
  EXPECT_EQ(server_->peer_certificate(), own.der());
  const auto forged = rogue.leaf("client.tcfdl.internal");
  client_context_ =
      TlsContext::client(text_form(side_.root), text_form(forged), private_key_pem(rogue.key).span()).value();
  EXPECT_EQ(meet(asking).error().code(), Code::kUnauthenticated);
}

TEST_F(Tls, NeedsAPairThatFits) {
  const Side other;
  EXPECT_EQ(TlsContext::server("no PEM", private_key_pem(side_.key).span()).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(TlsContext::server(text_form(side_.leaf(kServer)), private_key_pem(other.key).span()).error().code(),
            Code::kInvalidArgument);
  EXPECT_EQ(TlsContext::client("no PEM").error().code(), Code::kInvalidArgument);
}

} // namespace
} // namespace tcfdl::crypto
