#include "cli/state_lock.hpp"

#include "base/file.hpp"

#include <gtest/gtest.h>
#include <optional>

namespace tcfdl::cli {
namespace {

TEST(StateLock, AdmitsOneHolderAndNamesIt) {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "lock";
  const auto first = StateLock::acquire(file);
  ASSERT_TRUE(first);
  const auto second = StateLock::acquire(file);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
  EXPECT_EQ(StateLock::holder(file).value(), std::optional(::getpid()));
}

TEST(StateLock, IsFreeAgainAfterItsHolder) {
  const TemporaryDirectory directory;
  const auto file = directory.path() / "lock";
  ASSERT_TRUE(StateLock::acquire(file));
  EXPECT_EQ(StateLock::holder(file).value(), std::nullopt);
  EXPECT_TRUE(StateLock::acquire(file));
}

TEST(StateLock, HasNoHolderWithoutAFile) {
  const TemporaryDirectory directory;
  EXPECT_EQ(StateLock::holder(directory.path() / "lock").value(), std::nullopt);
}

} // namespace
} // namespace tcfdl::cli
