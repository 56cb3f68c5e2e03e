#include "scene.hpp"

#include <gtest/gtest.h>
#include <set>

namespace plates {
namespace {

std::vector<Scene> scenes(std::size_t count, std::uint64_t seed) {
  static const auto fonts = load_fonts("/usr/share/fonts/truetype").value();
  return render_scenes(fonts, count, seed).value();
}

TEST(Scenes, AreTheSameForTheSameSeed) {
  const auto once = scenes(3, 5);
  const auto again = scenes(4, 5);
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].text, again[i].text);
    EXPECT_EQ(once[i].encoded, again[i].encoded);
  }
  EXPECT_NE(once[0].encoded, scenes(1, 6)[0].encoded);
}

TEST(Scenes, DifferFromEachOther) {
  std::set<std::string> texts;
  for (const auto& scene : scenes(12, 1)) texts.insert(scene.text);
  EXPECT_EQ(texts.size(), 12U);
}

TEST(Fonts, SayWhichFileIsMissing) {
  const auto fonts = load_fonts("nowhere");
  ASSERT_FALSE(fonts);
  EXPECT_EQ(fonts.error().code(), tcfdl::Code::kNotFound);
}

TEST(Comparable, KeepsLettersAndDigits) { EXPECT_EQ(comparable("b-MW 48.21 "), "BMW4821"); }

} // namespace
} // namespace plates
