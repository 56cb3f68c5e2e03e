#include "inference/synthesis.hpp"

#include "crypto/hash.hpp"
#include "inference/tests/fixtures.hpp"

namespace tcfdl::inference {
namespace {

std::uint64_t parameters(const Bytes& file) {
  const auto model = parse_onnx(file);
  std::uint64_t count = 0;
  for (const auto& weight : model->graph().initializer()) count += *onnx_tensor_bytes(weight) / 4;
  return count;
}

TEST(MobileNet, GrowsByItsScale) {
  const auto one = make_mobilenet({.scale = 1});
  const auto four = make_mobilenet({.scale = 4});
  ASSERT_TRUE(one && four);
  EXPECT_NEAR(static_cast<double>(parameters(*one)), 4.25e6, 0.05e6);
  EXPECT_NEAR(static_cast<double>(parameters(*four)), 11.5e6, 0.2e6);
  const auto times_five = make_mobilenet({.scale_parameters = 5});
  EXPECT_NEAR(static_cast<double>(parameters(*times_five)), 5 * 4.25e6, 3e6);
}

TEST(MobileNet, IsTheSameForTheSameSeed) {
  EXPECT_EQ(*make_mobilenet({}), *make_mobilenet({}));
  EXPECT_NE(*make_mobilenet({}), *make_mobilenet({.seed = 2}));
  EXPECT_FALSE(make_mobilenet({.scale = 0}));
  EXPECT_FALSE(make_mobilenet({.scale = kMostMobileNetScale + 1}));
}

TEST(MobileNet, IsAModelThatPassesTheChecks) {
  const auto model = parse_onnx(*make_mobilenet({}));
  ASSERT_TRUE(model);
  EXPECT_TRUE(check_onnx(*model, [](const std::string&) -> Result<std::uint64_t> { return 0; }));
}

} // namespace
} // namespace tcfdl::inference
