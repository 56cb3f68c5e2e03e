#include "crypto/pem.hpp"
#include "crypto/server_tls.hpp"
#include "crypto/tls_certificate.hpp"
#include "http/tests/fixture.hpp"

#include <gmock/gmock.h>

namespace tcfdl::http {
namespace {

using testing::HasSubstr;

const std::string kTlsName = "west.cluster.tcfdl.internal";

std::string certificate_text(const crypto::Certificate& certificate) {
  return crypto::to_pem(certificate.der(), "CERTIFICATE");
}

/// An authority and a server's key that it certifies.
struct Certified {
  UnixSeconds now = SystemClock().now();
  crypto::SigningKey authority = crypto::SigningKey::generate();
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::Certificate root = crypto::make_tls_root(authority, "tcfdl.internal", {now - 10'000, now + 10'000});

  [[nodiscard]] std::string leaf(const std::string& name, UnixSeconds lasts = 1000) const {
    return certificate_text(
        crypto::issue_tls_certificate(authority, root, {key.public_key(), {name}, {now - 5000, now + lasts}}).value());
  }
  [[nodiscard]] std::shared_ptr<const crypto::SecretBytes> key_pem() const {
    return std::make_shared<const crypto::SecretBytes>(crypto::private_key_pem(key));
  }
  [[nodiscard]] std::shared_ptr<crypto::ServerTls> tls(const std::string& name = kTlsName,
                                                       UnixSeconds lasts = 1000) const {
    return crypto::ServerTls::make(leaf(name, lasts), key_pem()).value();
  }
};

class HttpsTest : public ServerTest {
protected:
  void serve(std::shared_ptr<crypto::ServerTls> tls) {
    ServerSettings settings;
    settings.tls = std::move(tls);
    start(std::move(settings));
  }
  [[nodiscard]] Client secure(const std::string& name = kTlsName) const {
    ClientSettings settings{.port = server->port(), .token = kToken};
    settings.tls = ClientTls{certificate_text(world_.root), name};
    return Client(std::move(settings));
  }
  void expect_refused(Client client, const std::string& words) const {
    const auto response = client.send(Request::make("GET", "/healthz"), soon());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code(), Code::kUnauthenticated) << response.error().to_string();
    EXPECT_THAT(response.error().message(), HasSubstr(words));
  }

  Certified world_;
};

TEST_F(HttpsTest, AnswersOneRequestAfterTheOther) {
  serve(world_.tls());
  auto client = secure();
  for (int i = 0; i < 3; ++i) {
    const auto response = client.call(Request::make("GET", "/v1/functions/plates/read"), soon());
    ASSERT_TRUE(response) << response.error().to_string();
    EXPECT_EQ(as_text(response->body), "get plates/read");
  }
  auto request = Request::make("GET", "/v1/logs");
  EXPECT_EQ(as_text(client.call(std::move(request), soon()).value().body), "line 0\nline 1\nline 2\n");
}

TEST_F(HttpsTest, CarriesLargeBodiesBothWays) {
  serve(world_.tls());
  auto client = secure();
  const std::string large(900'000, 'x');
  const auto response = client.call(Request::make("POST", "/v1/echo", large), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(as_text(response->body), large);
  auto upload = Request::make("PUT", "/v1/artefacts", large);
  EXPECT_EQ(as_text(client.call(std::move(upload), soon()).value().body), "900000");
}

TEST_F(HttpsTest, RefusesAServerThatDoesNotProveWhoItIs) {
  const Certified rogue;
  serve(rogue.tls());
  expect_refused(secure(), "does not prove that it is " + kTlsName);
  serve(world_.tls());
  expect_refused(secure("east.cluster.tcfdl.internal"), "hostname mismatch");
  serve(world_.tls(kTlsName, -1000));
  expect_refused(secure(), "expired");
}

TEST_F(HttpsTest, TellsAPlainClientWhatItIs) {
  serve(world_.tls());
  const auto response = client().send(Request::make("GET", "/healthz"), soon());
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->status, 400);
  EXPECT_THAT(std::string(as_text(response->body)), HasSubstr("speaks HTTPS"));
}

TEST_F(HttpsTest, AClientDoesNotFallBackToPlainHttp) {
  start();
  const auto response = secure().send(Request::make("GET", "/healthz"), soon());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kUnavailable) << response.error().to_string();
}

TEST_F(HttpsTest, ARenewedCertificateIsShownToNewConnectionsAndOldOnesStay) {
  const auto tls = world_.tls();
  serve(tls);
  auto early = secure();
  ASSERT_TRUE(early.call(Request::make("GET", "/healthz"), soon()));
  const std::string renamed = "renamed.cluster.tcfdl.internal";
  ASSERT_TRUE(tls->replace(world_.leaf(renamed)));
  EXPECT_TRUE(early.call(Request::make("GET", "/healthz"), soon())) << "its connection is kept";
  EXPECT_TRUE(secure(renamed).call(Request::make("GET", "/healthz"), soon()));
  expect_refused(secure(), "hostname mismatch");
  EXPECT_EQ(tls->replace("no PEM").error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(secure(renamed).call(Request::make("GET", "/healthz"), soon()));
}

TEST_F(HttpsTest, ServesOtherAddressesThanLoopbackWithTlsOnly) {
  ServerSettings settings;
  settings.address = "0.0.0.0";
  EXPECT_EQ(Server(settings).start().error().code(), Code::kInvalidArgument);
  settings.tls = world_.tls();
  EXPECT_TRUE(Server(settings).start());
}

/// A server that asks for certificates of the world's root and knows their names.
class ClientCertificates : public HttpsTest {
protected:
  void SetUp() override {
    ServerSettings settings;
    settings.tls =
        crypto::ServerTls::make(world_.leaf(kTlsName), world_.key_pem(), certificate_text(world_.root)).value();
    settings.identify = [this](BytesView certificate) -> Result<Caller> {
      if (!refusal_.empty()) return Error(Code::kUnauthenticated, refusal_);
      return Caller{crypto::Certificate::parse(certificate).value().common_name(), "client", 0};
    };
    settings.on_answered = [this](const Answered& answered) { told_ = answered; };
    start(std::move(settings));
  }
  [[nodiscard]] Client showing(const Certified& of, UnixSeconds lasts = 1000, const std::string& token = {}) const {
    ClientSettings settings{.port = server->port(), .token = token};
    settings.tls =
        ClientTls{certificate_text(world_.root), kTlsName, of.leaf("anna.tcfdl.internal", lasts), of.key_pem()};
    return Client(std::move(settings));
  }
  [[nodiscard]] int status(Client client, const std::string& target = "/v1/logs") const {
    const auto response = client.send(Request::make("GET", target), soon());
    return response ? response->status : 0;
  }

  std::string refusal_;
  Answered told_;
};

TEST_F(ClientCertificates, SayWhoAsksWithoutAToken) {
  EXPECT_EQ(status(showing(world_)), 200);
  EXPECT_EQ(told_.caller->name, "anna.tcfdl.internal");
}

TEST_F(ClientCertificates, AreAskedForAndNotDemanded) {
  EXPECT_EQ(status(secure()), 200) << "a token is as good";
  ClientSettings nobody{.port = server->port()};
  nobody.tls = ClientTls{certificate_text(world_.root), kTlsName};
  Client client(std::move(nobody));
  const auto refused = client.send(Request::make("GET", "/v1/logs"), soon());
  ASSERT_TRUE(refused) << refused.error().to_string();
  EXPECT_EQ(refused->status, 401);
  EXPECT_THAT(std::string(refused->text()), HasSubstr("or a client's certificate"));
}

TEST_F(ClientCertificates, DoNotStandInForAWrongToken) { EXPECT_EQ(status(showing(world_, 1000, "wrong")), 401); }

TEST_F(ClientCertificates, OfAnotherRootOrExpiredDoNotPassTls) {
  EXPECT_EQ(status(showing(Certified()), "/healthz"), 0);
  EXPECT_EQ(status(showing(world_, -1000), "/healthz"), 0);
}

TEST_F(ClientCertificates, AreJudgedAtEachRequestAndTheReasonIsTold) {
  auto client = showing(world_);
  EXPECT_EQ(client.call(Request::make("GET", "/v1/logs"), soon()).value().status, 200);
  refusal_ = "the key of anna is revoked";
  const auto refused = client.send(Request::make("GET", "/v1/logs"), soon());
  ASSERT_TRUE(refused) << refused.error().to_string();
  EXPECT_EQ(refused->status, 401);
  EXPECT_THAT(std::string(refused->text()), HasSubstr("the key of anna is revoked"));
  EXPECT_EQ(client.call(Request::make("GET", "/healthz"), soon()).value().status, 200) << "as for everybody";
}

TEST_F(HttpsTest, NoticesAPeerThatGoesAwayInTheMiddle) {
  serve(world_.tls());
  {
    auto client = secure();
    const auto response =
        client.send(Request::make("GET", "/v1/wait"), Deadline::after(std::chrono::milliseconds(300)));
    EXPECT_EQ(response.error().code(), Code::kDeadlineExceeded);
  }
  EXPECT_TRUE(entered.wait());
  EXPECT_TRUE(cancelled.wait());
  leave.open();
}

} // namespace
} // namespace tcfdl::http
