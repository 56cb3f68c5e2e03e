#include "crypto/proxy_reencryption.hpp"

#include "crypto/hash.hpp"
#include "crypto/sealing.hpp"
#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

class ProxyReencryption : public testing::Test {
protected:
  Scalar x_i_ = Scalar::random();
  Scalar x_j_ = Scalar::random();
  Scalar f_ = Scalar::random();
  Bytes header_ = to_bytes("capsule header");
  std::pair<EncryptedKey, KeyAndPadding> made_ = encrypt(x_i_, header_);

  const EncryptedKey& encrypted() const { return made_.first; }

  EncryptedKey through(const Scalar& first, const Scalar& second) const {
    return {encrypted().ek1, reencrypt(second, reencrypt(first, encrypted().ek2))};
  }

  bool is_the_key(const KeyAndPadding& candidate) const {
    return equal_constant_time(candidate.span(), made_.second.span());
  }

  /// Neither the key nor its commitment comes out.
  void expect_another_key(const KeyAndPadding& candidate, BytesView header) const {
    EXPECT_FALSE(is_the_key(candidate));
    const auto sent = derive_capsule_secret(made_.second, capsule_hash(header_, encrypted()));
    const auto status =
        check_commitment(derive_capsule_secret(candidate, capsule_hash(header, encrypted())), sent.commitment);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kUnauthenticated);
  }
};

TEST_F(ProxyReencryption, CarriesTheKeyFromProviderOverFunctionToProcessor) {
  const auto arrived = through(reencryption_key(x_i_, f_), reencryption_key(f_, x_j_));
  EXPECT_TRUE(is_the_key(decrypt(x_j_, arrived, header_)));
  EXPECT_TRUE(is_the_key(decrypt(DecryptionKey(x_j_), arrived, header_)));
}

TEST_F(ProxyReencryption, FollowsTheEquationsOfThePaper) {
  const auto r_p = encrypted().ek2.times(x_i_.inverse());
  const auto in_f_form = reencrypt(reencryption_key(x_i_, f_), encrypted().ek2);
  EXPECT_EQ(in_f_form, r_p.times(f_));
  EXPECT_EQ(reencrypt(reencryption_key(f_, x_j_), in_f_form), r_p.times(x_j_));
  const auto mask = hkdf_sha256(r_p.bytes(), {}, to_bytes("tcfdl/1/kdfcapsule header"), kKeyAndPaddingSize);
  for (std::size_t i = 0; i < kKeyAndPaddingSize; ++i) {
    EXPECT_EQ(encrypted().ek1[i], made_.second.span()[i] ^ mask.span()[i]);
  }
}

TEST_F(ProxyReencryption, LetsTheSenderOpenItsOwnCapsule) {
  EXPECT_TRUE(is_the_key(decrypt(x_i_, encrypted(), header_)));
}

TEST_F(ProxyReencryption, ProviderSecretTimesItsReencryptionKeyIsTheFunctionSecret) {
  EXPECT_TRUE(equal_constant_time((x_i_ * reencryption_key(x_i_, f_)).to_bytes().span(), f_.to_bytes().span()));
}

TEST_F(ProxyReencryption, EncryptsAKeyThatIsGiven) {
  const auto key = KeyAndPadding::copy_of(sha256(as_bytes("some key")));
  const auto first = encrypt(x_i_, key, header_);
  const auto second = encrypt(x_i_, key, header_);
  EXPECT_TRUE(equal_constant_time(decrypt(x_i_, first, header_).span(), key.span()));
  EXPECT_NE(first.ek1, second.ek1);
  EXPECT_NE(first.ek2, second.ek2);
}

TEST_F(ProxyReencryption, GivesAnotherKeyToAnotherHolder) {
  const auto arrived = through(reencryption_key(x_i_, f_), reencryption_key(f_, x_j_));
  expect_another_key(decrypt(Scalar::random(), arrived, header_), header_);
  expect_another_key(decrypt(x_i_, arrived, header_), header_);
  expect_another_key(decrypt(f_, arrived, header_), header_);
}

TEST_F(ProxyReencryption, GivesAnotherKeyAfterAWrongReencryption) {
  const auto to_f = reencryption_key(x_i_, f_);
  const auto to_j = reencryption_key(f_, x_j_);
  expect_another_key(decrypt(x_j_, through(to_f, Scalar::random()), header_), header_);
  expect_another_key(decrypt(x_j_, through(to_f, to_f), header_), header_);
  expect_another_key(decrypt(x_j_, {encrypted().ek1, reencrypt(to_j, encrypted().ek2)}, header_), header_);
  expect_another_key(decrypt(x_j_, encrypted(), header_), header_);
}

TEST_F(ProxyReencryption, GivesAnotherKeyForAnotherHeader) {
  const auto other = to_bytes("capsule headex");
  expect_another_key(decrypt(x_i_, encrypted(), other), other);
}

TEST_F(ProxyReencryption, CommitmentCoversTheHeaderAndEk1) {
  auto changed = encrypted();
  changed.ek1[0] ^= 1;
  EXPECT_NE(capsule_hash(header_, changed), capsule_hash(header_, encrypted()));
  const auto sent = derive_capsule_secret(made_.second, capsule_hash(header_, encrypted()));
  EXPECT_TRUE(
      check_commitment(derive_capsule_secret(made_.second, capsule_hash(header_, encrypted())), sent.commitment));
  EXPECT_FALSE(check_commitment(derive_capsule_secret(made_.second, capsule_hash(header_, changed)), sent.commitment));
  EXPECT_FALSE(check_commitment(sent, BytesView(sent.commitment).first(31)));
}

} // namespace
} // namespace tcfdl::crypto
