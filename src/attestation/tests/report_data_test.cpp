#include "attestation/report_data.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace tcfdl::attestation {
namespace {

TEST(ReportData, IsTheDocumentedHash) {
  const Bytes nonce = {7};
  const Bytes key = {8, 9};
  Bytes text = to_bytes("tcfdl/evidence/1");
  const Bytes rest = {0, 0, 0, 2, 'p', 'q', 0, 0, 0, 1, 7, 0, 0, 0, 1, 0, 0, 0, 2, 8, 9};
  text.insert(text.end(), rest.begin(), rest.end());
  EXPECT_EQ(report_data("pq", nonce, {key}), crypto::sha512(text));
}

TEST(ReportData, NeverTakesOneSplitForAnother) {
  const Bytes a = {1, 2};
  const Bytes b = {3};
  const Bytes ab = {1, 2, 3};
  const auto base = report_data("p", {}, {a, b});
  EXPECT_NE(base, report_data("p", {}, {ab}));
  EXPECT_NE(base, report_data("p", a, {b}));
  EXPECT_NE(base, report_data("p", {}, {b, a}));
  EXPECT_NE(base, report_data("p", {}, {a, b, {}}));
  EXPECT_NE(report_data("ab", as_bytes("c"), {}), report_data("a", as_bytes("bc"), {}));
}

} // namespace
} // namespace tcfdl::attestation
