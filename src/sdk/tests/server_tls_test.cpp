#include "sdk/server_tls.hpp"

#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"
#include "wire/tls_connection.hpp"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

const std::string kInstance = wire::instance_server("plates/read-1", "road");
const std::string kGateway = wire::gateway_server("road");

class ServerInTls : public testing::TestWithParam<std::string> {
protected:
  [[nodiscard]] TlsChain chain(const crypto::SigningKey& authority, const crypto::VerifyKey& key,
                               const std::string& name, UnixSeconds lasts = 1000) const {
    const auto root = crypto::make_tls_root(authority, wire::kServerDomain, {now_ - 1000, now_ + 10'000});
    const auto leaf = crypto::issue_tls_certificate(authority, root, {key, {name}, {now_ - 500, now_ + lasts}}).value();
    return {leaf.der(), root.der()};
  }
  [[nodiscard]] TlsChain good() const { return chain(authority_, identity_.signing.public_key(), GetParam()); }
  void expect_refused(const TlsChain& given, const std::string& words) const {
    const auto made = make(given);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().to_string(), HasSubstr(words));
    EXPECT_FALSE(renew(*make(good()).value(), given));
  }
  [[nodiscard]] Result<std::shared_ptr<crypto::ServerTls>> make(const TlsChain& given) const {
    return make_server_tls(identity_, given, GetParam(), PeerCertificates::kAsked, clock_);
  }
  [[nodiscard]] Status renew(crypto::ServerTls& tls, const TlsChain& given) const {
    return renew_server_tls(tls, identity_, given, GetParam(), clock_);
  }

  const SystemClock clock_;
  const UnixSeconds now_ = clock_.now();
  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const Identity identity_{"plates/read-1", crypto::SigningKey::generate(), crypto::HpkePrivateKey::generate(),
                           wire::HeldCertificate(), authority_.public_key()};
};

TEST_P(ServerInTls, AnswersCallersThatKnowTheAuthorityAndUnderNoOtherName) {
  const auto tls = make(good()).value();
  ASSERT_TRUE(renew(*tls, good()));
  const auto door = wire::listen_tls(
                        wire::TcpAddress{"127.0.0.1", 0, true}, {.name = "test"}, [tls] { return tls->context(); },
                        [](wire::Connection& peer) {
                          (void)peer.send(wire::FrameKind::kMessage, as_bytes(std::string_view("inside")),
                                          Deadline::after(std::chrono::seconds(10)));
                        })
                        .value();
  EXPECT_THAT(wire::to_string(door->address()), testing::StartsWith("tls:127.0.0.1:"));
  const auto trusted = trust_instances(good().back(), identity_, now_);
  ASSERT_TRUE(trusted) << trusted.error().to_string();
  const auto deadline = Deadline::after(std::chrono::seconds(10));
  const auto met = wire::connect_tls(door->address(), *trusted, GetParam(), deadline);
  ASSERT_TRUE(met) << met.error().to_string();
  Bytes said;
  ASSERT_TRUE((*met)->receive(said, deadline));
  EXPECT_EQ(as_text(said), "inside");
  const auto another =
      wire::connect_tls(door->address(), *trusted, wire::instance_server("plates/read-2", "road"), deadline);
  ASSERT_FALSE(another) << "its certificate is of one instance";
  EXPECT_EQ(another.error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(wire::connect_tls(door->address(), *trusted, wire::instance_server("plates/read-1", "rail"), deadline));
  const auto plain = wire::connect(door->address(), deadline);
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code(), Code::kInvalidArgument);
}

TEST_P(ServerInTls, IsRefusedWhereOneOfThemIsAnother) {
  const auto& key = identity_.signing.public_key();
  const auto& name = GetParam();
  const auto other = crypto::SigningKey::generate();
  expect_refused({}, "no certificate for TLS");
  expect_refused(chain(other, key, name), "of another key than the authority's");
  expect_refused(chain(authority_, other.public_key(), name), "is of another key");
  expect_refused(chain(authority_, key, wire::instance_server("plates/read-2", "road")), "is not for " + name);
  expect_refused(chain(authority_, key, "road.cluster.tcfdl.internal"), "is not for " + name);
  expect_refused(chain(authority_, key, name, -100), "UNAUTHENTICATED");
}

TEST_P(ServerInTls, IsTrustedUnderTheAuthoritysRootAlone) {
  const auto other = crypto::SigningKey::generate();
  const auto root = chain(other, other.public_key(), "a.tcfdl.internal").back();
  EXPECT_EQ(trust_instances(root, identity_, now_).error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(trust_instances({}, identity_, now_));
}

INSTANTIATE_TEST_SUITE_P(Of, ServerInTls, testing::Values(kInstance, kGateway),
                         [](const auto& name) { return name.param == kGateway ? "AGateway" : "AnInstance"; });

} // namespace
} // namespace tcfdl::sdk
