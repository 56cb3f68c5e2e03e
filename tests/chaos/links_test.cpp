// Links between machines that go down or become slow, under load.
#include "support/load.hpp"
#include "support/machines.hpp"

#include "chaos/chaos.hpp"

#include <algorithm>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The caller is on the hub; `once` has an instance on the left and one on the right. Handlers reach the journal, which
/// is on the desk, over links of its own.
class Links : public Machines {
protected:
  Links() : Machines({"desk"}) {}
  void SetUp() override {
    Machines::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    ASSERT_TRUE(network_->link("desk", "left") && network_->link("desk", "right"));
    deploy("once", "chaos_function", "protection: [eae, hse]\nconcurrency: 4\nscale: {min: 2, max: 2}\n");
    ASSERT_TRUE(network_->enter("desk"));
    journal_.emplace(network_->address("desk"));
    ASSERT_TRUE(network_->enter("hub"));
    ::setenv("TCFDL_CONTEXT_DIR", environment_.at("TCFDL_CONTEXT_DIR").c_str(), 1);
    auto client = Client::connect("");
    ASSERT_TRUE(client) << client.error().to_string();
    client_ = *std::move(client);
    ASSERT_TRUE(eventually([&] { return has_node("left") && has_node("right"); }));
  }

  bool has_node(const std::string& name) {
    const auto status = Json::parse(on_hub({"status", "--json"}).out, nullptr, false);
    const auto nodes = status.is_object() ? status.value("nodes", Json::array()) : Json::array();
    return std::ranges::any_of(nodes, [&](const Json& node) { return node.value("name", "") == name; });
  }

  std::optional<Journal> journal_;
  std::unique_ptr<Client> client_;
};

TEST_F(Links, ThatGoDownLoseTheNodeForTheirTimeAndNoTask) {
  MixedLoad load(*client_, "once", *journal_);
  ASSERT_TRUE(load.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    for (const auto* node : {"right", "left"}) {
      ASSERT_TRUE(network_->set_link("hub", node, false));
      EXPECT_TRUE(eventually([&] { return !has_node(node); }));
      EXPECT_TRUE(load.serves()) << "by the other node";
      ASSERT_TRUE(network_->set_link("hub", node, true));
      EXPECT_TRUE(eventually([&] { return has_node(node); }));
    }
  }
  EXPECT_EQ(load.violations(), "");
}

TEST_F(Links, ThatBecomeSlowKeepTheirNodeAndBringEveryTaskToItsEnd) {
  Load small(calls_of(*client_, "once"), *journal_, {.name = "small", .callers = 2, .timeout = seconds(20)});
  const auto call = calls_of(*client_, "once");
  const auto with_bulk = [&](const std::string& body, milliseconds timeout) {
    return call(body + " " + std::string(std::size_t{96} << 10U, '.'), timeout);
  };
  Load large(with_bulk, *journal_, {.name = "large", .callers = 2, .timeout = seconds(40)});
  ASSERT_TRUE(small.serves());
  ASSERT_TRUE(large.serves());
  for (const auto* node : {"left", "right"}) ASSERT_TRUE(network_->set_rate("hub", node, "512kbit"));
  EXPECT_TRUE(small.serves(6));
  EXPECT_TRUE(large.serves(6)) << "96 KiB take a second and a half alone";
  EXPECT_TRUE(has_node("left") && has_node("right")) << "heartbeats pass beside bodies";
  for (const auto* node : {"left", "right"}) ASSERT_TRUE(network_->set_rate("hub", node, "1gbit"));
  EXPECT_TRUE(small.serves());
  EXPECT_TRUE(large.serves());
  small.stop();
  large.stop();
  EXPECT_EQ(small.violations(), "");
  EXPECT_EQ(large.violations(), "");
}

} // namespace
} // namespace tcfdl::test
