#include "sdk/instance_tls.hpp"

#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"
#include "wire/tls_connection.hpp"

#include <gmock/gmock.h>

namespace tcfdl::sdk {
namespace {

using testing::HasSubstr;

constexpr const char* kInstance = "plates/read-1";
constexpr const char* kCluster = "road";

class InstanceInTls : public testing::Test {
protected:
  [[nodiscard]] TlsChain chain(const crypto::SigningKey& authority, const crypto::VerifyKey& key,
                               const std::string& name, UnixSeconds lasts = 1000) const {
    const auto root = crypto::make_tls_root(authority, wire::kServerDomain, {now_ - 1000, now_ + 10'000});
    const auto leaf = crypto::issue_tls_certificate(authority, root, {key, {name}, {now_ - 500, now_ + lasts}}).value();
    return {leaf.der(), root.der()};
  }
  [[nodiscard]] TlsChain good() const {
    return chain(authority_, identity_.signing.public_key(), wire::instance_server(kInstance, kCluster));
  }
  void expect_refused(const TlsChain& given, const std::string& words) const {
    const auto made = InstanceTls::make(identity_, kCluster, given, clock_);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().to_string(), HasSubstr(words));
    EXPECT_FALSE(InstanceTls::make(identity_, kCluster, good(), clock_).value()->replace(given));
  }

  const SystemClock clock_;
  const UnixSeconds now_ = clock_.now();
  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const Identity identity_{kInstance, crypto::SigningKey::generate(), crypto::HpkePrivateKey::generate(),
                           wire::HeldCertificate(), authority_.public_key()};
};

TEST_F(InstanceInTls, AnswersCallersThatKnowTheAuthorityAndUnderNoOtherName) {
  const auto tls = InstanceTls::make(identity_, kCluster, good(), clock_).value();
  ASSERT_TRUE(tls->replace(good()));
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
  const auto met = wire::connect_tls(door->address(), *trusted, wire::instance_server(kInstance, kCluster), deadline);
  ASSERT_TRUE(met) << met.error().to_string();
  Bytes said;
  ASSERT_TRUE((*met)->receive(said, deadline));
  EXPECT_EQ(as_text(said), "inside");
  const auto another =
      wire::connect_tls(door->address(), *trusted, wire::instance_server("plates/read-2", kCluster), deadline);
  ASSERT_FALSE(another) << "its certificate is of one instance";
  EXPECT_EQ(another.error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(wire::connect_tls(door->address(), *trusted, wire::instance_server(kInstance, "rail"), deadline));
  const auto plain = wire::connect(door->address(), deadline);
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code(), Code::kInvalidArgument);
}

TEST_F(InstanceInTls, IsRefusedWhereOneOfThemIsAnother) {
  const auto& key = identity_.signing.public_key();
  const auto name = wire::instance_server(kInstance, kCluster);
  const auto other = crypto::SigningKey::generate();
  expect_refused({}, "no certificate for TLS");
  expect_refused(chain(other, key, name), "of another key than the authority's");
  expect_refused(chain(authority_, other.public_key(), name), "is of another key");
  expect_refused(chain(authority_, key, wire::instance_server("plates/read-2", kCluster)), "is not for " + name);
  expect_refused(chain(authority_, key, name, -100), "UNAUTHENTICATED");
}

TEST_F(InstanceInTls, IsTrustedUnderTheAuthoritysRootAlone) {
  const auto other = crypto::SigningKey::generate();
  const auto root = chain(other, other.public_key(), "a.tcfdl.internal").back();
  EXPECT_EQ(trust_instances(root, identity_, now_).error().code(), Code::kUnauthenticated);
  EXPECT_FALSE(trust_instances({}, identity_, now_));
}

} // namespace
} // namespace tcfdl::sdk
