#include "crypto/fingerprint.hpp"

#include <gtest/gtest.h>
#include <set>

namespace tcfdl::crypto {
namespace {

TEST(Fingerprints, AreOfTheBodyAndOfTheObject) {
  const Fingerprints fingerprints;
  const Fingerprints others;
  const Bytes body(100'000, 7);
  EXPECT_EQ(fingerprints.of(body), fingerprints.of(Bytes(body)));
  EXPECT_NE(fingerprints.of(body), others.of(body));
}

TEST(Fingerprints, DifferWhereBodiesDo) {
  const Fingerprints fingerprints;
  std::set<Fingerprint> seen;
  for (const std::size_t size : {0, 1, 15, 16, 17, 65'536}) {
    Bytes body(size, 0);
    EXPECT_TRUE(seen.insert(fingerprints.of(body)).second) << size << " zeros";
    if (body.empty()) continue;
    body.back() ^= 1U;
    EXPECT_TRUE(seen.insert(fingerprints.of(body)).second) << size << ", the last bit";
  }
}

} // namespace
} // namespace tcfdl::crypto
