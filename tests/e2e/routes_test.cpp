// The way of a body between machines: network namespaces that reach each other as each test links them.
#include "support/machines.hpp"

namespace tcfdl::test {
namespace {

/// `echo` on the right, `forward` on the left.
class Routes : public Machines {
protected:
  void SetUp() override {
    Machines::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    deploy("echo", "examples-echo", kEcho);
    deploy("forward", "e2e-forward", "protection: [eae]\nlabels: {side: left}\n");
  }
  /// The way of a call from the hub, whose result must be the body.
  std::string route_of_echo(const std::string& protection) {
    const auto called =
        on_hub({"invoke", "echo", "--in", "-", "--out", "-", "--protection", protection, "--summary", file("summary")},
               "a body");
    EXPECT_EQ(called.out, "a body") << called.err;
    return Json::parse(read_text_file(file("summary")).value_or("{}"), nullptr, false).value("route", "");
  }
  /// The way of a call from an instance on the left to one on the right.
  std::string route_of_forward() {
    const auto called = on_hub({"invoke", "forward", "--in", "-", "--out", "-", "--timeout", "60s"}, "echo");
    EXPECT_EQ(called.exit_code, 0) << called.err;
    return called.out;
  }

  static constexpr const char* kEcho = "protection: [eae, none]\nlabels: {side: right}\n";
};

TEST_F(Routes, AreInTlsWhereTheOwnerWantsIt) {
  deploy("echo", "examples-echo", std::string(kEcho) + "direct_tls: true\n");
  EXPECT_TRUE(eventually([&] { return route_of_echo("eae") == "tls"; }));
  EXPECT_EQ(route_of_echo("none"), "tls") << "nobody on the way reads it";
  ASSERT_TRUE(network_->link("left", "right"));
  EXPECT_TRUE(eventually([&] { return route_of_forward() == "tls"; })) << "between instances too";
  const auto plain =
      on_hub({"invoke", "echo", "--in", "-", "--out", "-", "--route", "tcp", "--timeout", "5s"}, "a body");
  EXPECT_NE(plain.exit_code, 0) << "no way without TLS is left";
}

TEST_F(Routes, LeadStraightToInstancesOfOtherMachinesAndThroughTheMasterWhereTheyCannot) {
  EXPECT_EQ(route_of_echo("eae"), "tcp");
  EXPECT_EQ(route_of_echo("none"), "relay") << "what is not sealed does not go over an open network";
  EXPECT_EQ(route_of_forward(), "relay") << "left and right reach the hub alone";
  ASSERT_TRUE(network_->link("left", "right"));
  EXPECT_TRUE(eventually([&] { return route_of_forward() == "tcp"; })) << "a silent address is tried again";
}

} // namespace
} // namespace tcfdl::test
