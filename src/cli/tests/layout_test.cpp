#include "cli/layout.hpp"

#include "attestation/policy_document.hpp"
#include "base/config.hpp"
#include "base/file.hpp"
#include "cli/up.hpp"

#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

class LayoutTest : public testing::Test {
protected:
  void SetUp() override { ASSERT_TRUE(layout.create()); }
  TemporaryDirectory directory;
  Layout layout = Layout::at((directory.path() / "it's \"state\": here").string());
};

TEST_F(LayoutTest, WritesConfigurationThatIsReadBack) {
  ASSERT_TRUE(write_configuration(layout, default_topology()));
  for (const auto* name : {"service-manager", "local-master", "worker-1"}) {
    const auto text = read_text_file(layout.config(name));
    ASSERT_TRUE(text) << name;
    auto config = ConfigMapping::parse(*text, name);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->text("state"), layout.node(name).string());
    EXPECT_EQ(config->text("ready_file"), layout.ready(name).string());
  }
}

TEST_F(LayoutTest, ThePolicyNamesTheSoftwareTeeForEachRoleAndIsItsOperatorsThen) {
  ASSERT_TRUE(write_configuration(layout, default_topology()));
  const auto file = layout.config("policy");
  const auto policy = attestation::PolicyDocument::parse_text(read_text_file(file).value(), "policy");
  ASSERT_TRUE(policy) << policy.error().message();
  EXPECT_EQ(policy->version, 1U);
  EXPECT_FALSE(policy->everyone);
  for (const auto role : attestation::kPolicyRoles) EXPECT_EQ(policy->for_role(role)->tee_kinds.size(), 1U) << role;
  auto config = ConfigMapping::parse(read_text_file(layout.config("service-manager")).value(), "service-manager");
  EXPECT_EQ(config->text("policy"), file.string());
  ASSERT_TRUE(write_file(file, as_bytes("version: 2\n")));
  ASSERT_TRUE(write_configuration(layout, default_topology()));
  EXPECT_EQ(read_text_file(file).value(), "version: 2\n");
}

TEST_F(LayoutTest, RemovesItsOwnFilesOnly) {
  ASSERT_TRUE(write_configuration(layout, default_topology()));
  const auto other = layout.root() / "notes.txt";
  ASSERT_TRUE(write_file(other, as_bytes("keep")));
  ASSERT_TRUE(layout.remove());
  EXPECT_TRUE(std::filesystem::exists(other));
  EXPECT_FALSE(std::filesystem::exists(layout.topology()));
  std::filesystem::remove(other);
  ASSERT_TRUE(layout.remove());
  EXPECT_FALSE(std::filesystem::exists(layout.root()));
}

TEST_F(LayoutTest, KeepsTheTopologyOfItsState) {
  EXPECT_EQ(choose_topology(layout, "").value(), default_topology());
  Topology stored;
  stored.clusters.push_back({"a", {}, true});
  ASSERT_TRUE(write_configuration(layout, stored));
  EXPECT_EQ(choose_topology(layout, "").value(), stored);
  const auto file = directory.path() / "t.yaml";
  ASSERT_TRUE(write_file(file, as_bytes("clusters: [{name: a}]\n")));
  EXPECT_EQ(choose_topology(layout, file.string()).value(), stored);
  ASSERT_TRUE(write_file(file, as_bytes("clusters: [{name: b}]\n")));
  const auto refused = choose_topology(layout, file.string());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
}

} // namespace
} // namespace tcfdl::cli
