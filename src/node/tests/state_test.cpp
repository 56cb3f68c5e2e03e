#include "node/state.hpp"

#include "base/file.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

namespace tcfdl::node {
namespace {

class NodeStateTest : public testing::Test {
protected:
  Result<NodeState> open() { return NodeState::open(directory()); }
  std::filesystem::path directory() const { return temporary_.path() / "state"; }

  TemporaryDirectory temporary_;
};

TEST_F(NodeStateTest, KeepsPortsSecretsAndItsKeyOverARestart) {
  std::uint16_t port = 0;
  std::string secret;
  std::optional<crypto::VerifyKey> key;
  {
    auto state = open().value();
    port = state.port("api", 0).value();
    secret = state.secret("api_token").value();
    key = state.signing_key().value().public_key();
  }
  EXPECT_NE(port, 0);
  EXPECT_GE(secret.size(), 43U);
  auto state = open().value();
  EXPECT_EQ(state.port("api", 0).value(), port);
  EXPECT_EQ(state.secret("api_token").value(), secret);
  EXPECT_NE(state.secret("other_token").value(), secret);
  EXPECT_EQ(state.signing_key().value().public_key(), *key);
}

TEST_F(NodeStateTest, TakesThePortThatIsAskedFor) {
  auto state = open().value();
  EXPECT_EQ(state.port("api", 8080).value(), 8080);
}

TEST_F(NodeStateTest, IsForItsOwnerOnly) {
  auto state = open().value();
  ASSERT_TRUE(state.set("key", "value"));
  struct stat info{};
  ASSERT_EQ(::stat((directory() / "node.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(directory().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(NodeStateTest, NamesTheDaemonThatHasIt) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.error().message(), testing::EndsWith("process " + std::to_string(::getpid())));
}

TEST_F(NodeStateTest, RefusesADamagedFileAndLeavesIt) {
  {
    ASSERT_TRUE(open());
  }
  for (const std::string_view text : {"", "{", "[]", "7"}) {
    ASSERT_TRUE(write_file(directory() / "node.json", as_bytes(text)));
    const auto state = open();
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code(), Code::kDataLoss);
    EXPECT_EQ(read_text_file(directory() / "node.json").value(), text);
  }
}

TEST_F(NodeStateTest, RefusesValuesThatAreNotWhatTheyShouldBe) {
  auto state = open().value();
  ASSERT_TRUE(state.set("port", "x"));
  EXPECT_EQ(state.port("port", 0).error().code(), Code::kDataLoss);
  ASSERT_TRUE(state.set("port", "70000"));
  EXPECT_EQ(state.port("port", 0).error().code(), Code::kDataLoss);
  ASSERT_TRUE(state.set("signing_key", "AAAA"));
  EXPECT_FALSE(state.signing_key());
}

TEST_F(NodeStateTest, KeepsNothingThatCouldNotBeMade) {
  auto state = open().value();
  const auto failing = [] { return Result<std::string>(Error(Code::kUnavailable, "not now")); };
  EXPECT_EQ(state.keep("key", failing).error().code(), Code::kUnavailable);
  EXPECT_EQ(state.keep("key", [] { return Result<std::string>("made"); }).value(), "made");
  EXPECT_EQ(state.keep("key", failing).value(), "made");
}

} // namespace
} // namespace tcfdl::node
