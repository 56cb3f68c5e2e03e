#include "base/config.hpp"

#include <gtest/gtest.h>

namespace tcfdl {
namespace {

TEST(ConfigMapping, ReadsScalarsListsAndNestedMappings) {
  auto config = ConfigMapping::parse("name: a\nsize: 3\non: true\nlist: [x, y]\nmap: {k: v}\nnest: {n: 1}\n", "f.yaml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->text("name"), "a");
  EXPECT_EQ(config->integer_or("size", 0, 1, 5), 3);
  EXPECT_TRUE(config->boolean_or("on", false));
  EXPECT_EQ(config->texts("list"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(config->text_map("map").front().second, "v");
  auto nest = config->mapping("nest");
  ASSERT_TRUE(nest);
  EXPECT_EQ(nest->integer_or("n", 0, 0, 9), 1);
  EXPECT_TRUE(config->finish());
}

TEST(ConfigMapping, RefusesUnknownKeysWithTheirLine) {
  auto config = ConfigMapping::parse("name: a\nnmae: b\n", "f.yaml");
  ASSERT_TRUE(config);
  (void)config->text("name");
  const auto status = config->finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "f.yaml: unknown key 'nmae' in line 2");
}

TEST(ConfigMapping, RefusesMissingKeysWrongTypesAndValuesOutOfRange) {
  for (const auto* text : {"other: 1", "size: 9", "size: x", "size: [1]"}) {
    auto config = ConfigMapping::parse(text, "f.yaml");
    ASSERT_TRUE(config);
    (void)config->text("size");
    (void)config->text_or("other", "");
    (void)config->integer_or("size", 0, 1, 5);
    EXPECT_FALSE(config->finish()) << text;
  }
}

TEST(ConfigMapping, RefusesTextThatIsNoMapping) {
  EXPECT_FALSE(ConfigMapping::parse("- a\n", "f.yaml"));
  EXPECT_FALSE(ConfigMapping::parse("a: [", "f.yaml"));
  EXPECT_FALSE(ConfigMapping::parse("", "f.yaml"));
}

} // namespace
} // namespace tcfdl
