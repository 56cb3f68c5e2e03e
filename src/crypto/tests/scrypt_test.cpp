#include "crypto/scrypt.hpp"

#include "crypto/tests/hex.hpp"

#include <gtest/gtest.h>

namespace tcfdl::crypto {
namespace {

/// RFC 7914 section 12.
TEST(Scrypt, GivesThePublishedKeys) {
  const auto derived = [](std::string_view passphrase, std::string_view salt, const ScryptCost& cost) {
    const auto key = scrypt(as_bytes(passphrase), as_bytes(salt), cost, 64);
    return key ? to_hex(key->span()) : key.error().message();
  };
  EXPECT_EQ(derived("", "", {.log2_cost = 4, .block = 1, .parallel = 1}),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  EXPECT_EQ(derived("password", "NaCl", {.log2_cost = 10, .block = 8, .parallel = 16}),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
  EXPECT_EQ(derived("pleaseletmein", "SodiumChloride", {.log2_cost = 14, .block = 8, .parallel = 1}),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

TEST(Scrypt, RefusesCostsOutOfBounds) {
  for (const auto& cost :
       {ScryptCost{.log2_cost = 0, .block = 8, .parallel = 1}, ScryptCost{.log2_cost = 21, .block = 8, .parallel = 1},
        ScryptCost{.log2_cost = 10, .block = 0, .parallel = 1},
        ScryptCost{.log2_cost = 10, .block = 8, .parallel = 17}}) {
    EXPECT_EQ(scrypt(as_bytes("p"), as_bytes("s"), cost, 16).error().code(), Code::kInvalidArgument);
  }
}

} // namespace
} // namespace tcfdl::crypto
