#include "instance_manager/lifecycle.hpp"

#include "instance_manager/names.hpp"

#include <gtest/gtest.h>

namespace tcfdl::instance_manager {
namespace {

TEST(Lifecycle, RefusesTransitionsThatTheTableLacks) {
  Lifecycle life{InstanceId("a")};
  EXPECT_FALSE(life.move(State::kDraining, "test"));
  EXPECT_EQ(life.state(), State::kStarting);
  EXPECT_TRUE(life.move(State::kReady, "test"));
  EXPECT_TRUE(life.move(State::kStopped, "test"));
  EXPECT_FALSE(life.move(State::kStarting, "test"));
}

TEST(InstanceNames, AreMadeOfTheFunctionAndPassTheirOwnCheck) {
  const auto id = make_instance_id(FunctionName("plates/read"));
  EXPECT_EQ(id.str().substr(0, 12), "plates-read-");
  EXPECT_EQ(id.str().size(), 20U);
  EXPECT_TRUE(check_instance_id(id.str()));
}

TEST(InstanceNames, ThatWouldLeaveTheirDirectoryAreRefused) {
  EXPECT_FALSE(check_instance_id("../a"));
  EXPECT_FALSE(check_instance_id("a/b"));
  EXPECT_FALSE(check_instance_id(".a"));
  EXPECT_FALSE(check_instance_id(""));
  EXPECT_FALSE(check_instance_id(std::string(161, 'a')));
}

TEST(RandomUnit, LiesBelowOne) {
  for (int i = 0; i < 100; ++i) {
    const double number = random_unit();
    EXPECT_GE(number, 0);
    EXPECT_LT(number, 1);
  }
}

} // namespace
} // namespace tcfdl::instance_manager
