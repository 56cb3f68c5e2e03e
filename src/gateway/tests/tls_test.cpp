#include "gateway/tls.hpp"

#include "crypto/tls_certificate.hpp"
#include "wire/server_names.hpp"

#include <gmock/gmock.h>

namespace tcfdl::gateway {
namespace {

using testing::HasSubstr;

class GatewayTls : public testing::Test {
protected:
  [[nodiscard]] sdk::TlsChain chain(const crypto::SigningKey& authority, const crypto::VerifyKey& key,
                                    const std::string& name, UnixSeconds lasts = 1000) const {
    const auto root = crypto::make_tls_root(authority, wire::kServerDomain, {now_ - 1000, now_ + 10'000});
    const auto leaf = crypto::issue_tls_certificate(authority, root, {key, {name}, {now_ - 500, now_ + lasts}}).value();
    return {leaf.der(), root.der()};
  }
  [[nodiscard]] sdk::TlsChain good() const {
    return chain(authority_, identity_.signing.public_key(), "west.gateway.tcfdl.internal");
  }
  void expect_refused(const sdk::TlsChain& given, const std::string& words) const {
    const auto made = make_server_tls(identity_, given, "west", clock_);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().to_string(), HasSubstr(words));
    const auto tls = make_server_tls(identity_, good(), "west", clock_).value();
    EXPECT_FALSE(renew_server_tls(*tls, identity_, given, "west", clock_));
  }

  const SystemClock clock_;
  const UnixSeconds now_ = clock_.now();
  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const sdk::Identity identity_{"gateway-west", crypto::SigningKey::generate(), crypto::HpkePrivateKey::generate(),
                                wire::HeldCertificate(), authority_.public_key()};
};

TEST_F(GatewayTls, IsOfTheAuthorityTheGatewaysKeyAndItsName) {
  const auto tls = make_server_tls(identity_, good(), "west", clock_);
  ASSERT_TRUE(tls) << tls.error().to_string();
  EXPECT_TRUE(renew_server_tls(**tls, identity_, good(), "west", clock_));
}

TEST_F(GatewayTls, IsRefusedWhereOneOfThemIsAnother) {
  const auto& key = identity_.signing.public_key();
  const std::string name = "west.gateway.tcfdl.internal";
  const auto other = crypto::SigningKey::generate();
  expect_refused({}, "no certificate for TLS");
  expect_refused(chain(other, key, name), "of another key than the authority's");
  expect_refused(chain(authority_, other.public_key(), name), "is of another key");
  expect_refused(chain(authority_, key, "west.cluster.tcfdl.internal"), "is not for west.gateway.tcfdl.internal");
  expect_refused(chain(authority_, key, name, -100), "UNAUTHENTICATED");
}

} // namespace
} // namespace tcfdl::gateway
