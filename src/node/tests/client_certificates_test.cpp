#include "node/client_certificates.hpp"

#include "crypto/random.hpp"

#include <gmock/gmock.h>

namespace tcfdl::node {
namespace {

using testing::HasSubstr;

constexpr UnixSeconds kStart = 1'800'000'000;
constexpr std::int64_t kLifetime = 1000;

class SteppedClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return now_; }
  UnixSeconds now_ = kStart;
};

class ClientCertificatesTest : public testing::Test {
protected:
  wire::Certificate made(std::uint64_t serial) {
    wire::Certificate certificate;
    certificate.set_subject("phone");
    certificate.set_role(wire::ROLE_CLIENT);
    certificate.set_verify_key(wire::field(client_.public_key().bytes()));
    certificate.set_issued(clock_.now());
    certificate.set_expires(clock_.now() + kLifetime);
    certificate.set_serial(serial);
    return certificate;
  }
  Result<wire::AuthorityReply> answer() {
    ++asked_;
    if (failure_) return *failure_;
    auto certificate = made(next_++);
    if (foreign_) certificate.set_verify_key(wire::field(crypto::SigningKey::generate().public_key().bytes()));
    wire::AuthorityReply reply;
    *reply.mutable_certificate() = wire::sign(authority_, certificate);
    reply.add_tls_chain("leaf");
    return reply;
  }
  void revoke(const wire::Certificate& certificate, bool with_key) {
    wire::RevocationList list;
    list.set_number(++number_);
    list.add_serials(certificate.serial());
    if (with_key) list.add_keys(wire::field(crypto::sha256(as_bytes(certificate.verify_key()))));
    ASSERT_TRUE(revocations_.accept(wire::sign(authority_, list)));
  }
  /// The serial of what takes the place; 0 for none.
  std::uint64_t newer(const wire::Certificate& present) {
    const auto found = certificates_.newer_than(present);
    EXPECT_TRUE(found) << found.error().to_string();
    return found && *found ? (*found)->parsed.serial() : 0;
  }

  const crypto::SigningKey authority_ = crypto::SigningKey::generate();
  const crypto::SigningKey client_ = crypto::SigningKey::generate();
  SteppedClock clock_;
  wire::Revocations revocations_{authority_.public_key()};
  std::uint64_t number_ = 0;
  std::uint64_t next_ = 100;
  int asked_ = 0;
  bool foreign_ = false;
  std::optional<Error> failure_;
  ClientCertificates certificates_{[this](const std::string& client) {
                                     EXPECT_EQ(client, "phone");
                                     return answer();
                                   },
                                   authority_.public_key(), revocations_, clock_};
};

TEST_F(ClientCertificatesTest, ServeForHalfOfTheirLifeThenAnotherIsAskedForOnce) {
  const auto first = made(1);
  EXPECT_EQ(newer(first), 0U);
  clock_.now_ += kLifetime / 2 - 1;
  EXPECT_EQ(newer(first), 0U);
  EXPECT_EQ(asked_, 0);
  clock_.now_ += 1;
  EXPECT_EQ(newer(first), 100U);
  EXPECT_EQ(newer(first), 100U);
  EXPECT_EQ(asked_, 1);
  clock_.now_ += kLifetime / 2;
  EXPECT_EQ(newer(first), 101U) << "what was kept is old by now";
}

TEST_F(ClientCertificatesTest, AreReplacedWhenTheirSerialIsOnTheListAndNotWhenTheirKeyIs) {
  const auto first = made(1);
  revoke(first, false);
  EXPECT_EQ(newer(first), 100U);
  revoke(made(100), true);
  const auto refused = certificates_.newer_than(first);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kUnauthenticated);
  EXPECT_EQ(asked_, 1);
}

TEST_F(ClientCertificatesTest, ServeOnWhileTheAuthorityIsAwayUnlessTheyAreRevoked) {
  const auto first = made(1);
  clock_.now_ += kLifetime / 2;
  failure_ = Error(Code::kUnavailable, "no way to it");
  EXPECT_EQ(newer(first), 0U);
  revoke(first, false);
  const auto refused = certificates_.newer_than(first);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("no way to it"));
  failure_.reset();
  EXPECT_EQ(newer(first), 100U);
}

TEST_F(ClientCertificatesTest, OfNowComeWithTheirTlsChainAlsoWhenThePresentOneServes) {
  const auto first = made(1);
  EXPECT_EQ(newer(first), 0U);
  const auto shown = wire::sign(authority_, first);
  const auto current = certificates_.current(shown);
  ASSERT_TRUE(current) << current.error().to_string();
  EXPECT_EQ(current->parsed.serial(), 100U);
  EXPECT_THAT(current->tls_chain, testing::ElementsAre("leaf"));
  EXPECT_EQ(certificates_.current(shown)->parsed.serial(), 100U) << "kept";
  EXPECT_EQ(certificates_.current(wire::sign(client_, first)).error().code(), Code::kUnauthenticated) << "its own word";
  revoke(current->parsed, true);
  EXPECT_EQ(certificates_.current(shown).error().code(), Code::kUnauthenticated);
}

TEST_F(ClientCertificatesTest, AreNeverThoseOfAnotherKey) {
  const auto first = made(1);
  revoke(first, false);
  foreign_ = true;
  const auto refused = certificates_.newer_than(first);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("another key"));
}

} // namespace
} // namespace tcfdl::node
