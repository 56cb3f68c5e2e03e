#include "exec/program.hpp"

#include <array>
#include <gmock/gmock.h>

namespace tcfdl::exec {
namespace {

template <std::size_t kCount> Result<Order> parse(std::array<std::string, kCount> words) {
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  return parse_order(arguments);
}

TEST(Program, SkipsTheSeparatorBeforeTheCommand) {
  const auto order = parse<4>({"once", "--", "/bin/sh", "--"});
  ASSERT_TRUE(order);
  EXPECT_EQ(order->command, (Command{"/bin/sh", "--"}));
  EXPECT_FALSE((parse<2>({"once", "--"})));
}

TEST(Program, TakesTheModeAndTheRestAsTheCommand) {
  const auto order = parse<4>({"serve", "python3", "--", "upper.py"});
  ASSERT_TRUE(order);
  EXPECT_EQ(order->mode, Mode::kServe);
  EXPECT_EQ(order->command, (Command{"python3", "--", "upper.py"}));
}

TEST(Program, SaysHowItIsUsed) {
  for (const auto& order : {parse<0>({}), parse<1>({"once"}), parse<2>({"twice", "cat"})}) {
    ASSERT_FALSE(order);
    EXPECT_THAT(order.error().message(), testing::HasSubstr("usage: tcfdl-exec once|serve PROGRAM"));
  }
}

} // namespace
} // namespace tcfdl::exec
