#include "wire/held_certificate.hpp"

#include <gtest/gtest.h>

namespace tcfdl::wire {
namespace {

constexpr std::int64_t kIssued = 1'800'000'000;

class HeldCertificateTest : public testing::Test {
protected:
  Certificate made(std::uint64_t serial) const {
    Certificate certificate;
    certificate.set_subject("w/proxy");
    certificate.set_role(ROLE_PROXY);
    certificate.set_verify_key(field(key_.public_key().bytes()));
    certificate.set_seal_key("s");
    certificate.set_cluster("west");
    certificate.set_node("w");
    certificate.set_issued(kIssued);
    certificate.set_expires(kIssued + 100);
    certificate.set_serial(serial);
    return certificate;
  }
  Status adopt(const Certificate& certificate) {
    return held_.adopt(sign(authority_, certificate), authority_.public_key(), kIssued);
  }
  std::uint64_t serial() const { return parse<Certificate>(held_.get().statement()).value().serial(); }

  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const crypto::SigningKey key_ = crypto::SigningKey::generate();
  HeldCertificate held_{sign(authority_, made(8))};
};

TEST_F(HeldCertificateTest, TakesNewerOnesAndCopiesAreOne) {
  const auto copy = held_;
  ASSERT_TRUE(adopt(made(16)));
  EXPECT_EQ(serial(), 16U);
  EXPECT_EQ(copy.get().statement(), held_.get().statement());
  ASSERT_TRUE(adopt(made(9))) << "one that came late";
  EXPECT_EQ(serial(), 16U);
}

TEST_F(HeldCertificateTest, RefusesThoseOfAnother) {
  const std::vector<void (*)(Certificate&)> changes{
      [](Certificate& c) { c.set_subject("v/proxy"); },   [](Certificate& c) { c.set_role(ROLE_INSTANCE); },
      [](Certificate& c) { c.set_verify_key("other"); },  [](Certificate& c) { c.set_seal_key("other"); },
      [](Certificate& c) { c.set_cluster("east"); },      [](Certificate& c) { c.set_node("v"); },
      [](Certificate& c) { c.set_expires(kIssued - 1); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto certificate = made(16);
    changes[i](certificate);
    EXPECT_FALSE(adopt(certificate)) << "change " << i;
  }
  const auto forger = crypto::SigningKey::generate();
  EXPECT_FALSE(held_.adopt(sign(forger, made(16)), authority_.public_key(), kIssued));
  EXPECT_EQ(serial(), 8U);
}

TEST_F(HeldCertificateTest, KnowsItsLifetime) {
  EXPECT_EQ(held_.lifetime().issued, kIssued);
  EXPECT_EQ(held_.lifetime().expires, kIssued + 100);
  EXPECT_EQ(HeldCertificate().lifetime().expires, 0);
}

} // namespace
} // namespace tcfdl::wire
