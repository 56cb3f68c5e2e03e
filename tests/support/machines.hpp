// A cluster over machines of its own: network namespaces that reach each other as the test links them.
#pragma once

#include "support/netns.hpp"
#include "support/platform.hpp"

#include <csignal>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tcfdl::test {

/// A service manager and a master on the machine `hub`, workers on `left` and `right`, which reach the hub each; other
/// machines as the test wants.
class Machines : public testing::Test {
protected:
  explicit Machines(const std::vector<std::string>& others = {}) {
    names_.insert(names_.end(), others.begin(), others.end());
  }
  void SetUp() override {
    if (const auto missing = Network::missing(); !missing.empty()) GTEST_SKIP() << missing;
    network_ = std::make_unique<Network>(names_);
    ASSERT_TRUE(network_->link("hub", "left") && network_->link("hub", "right"));
    ASSERT_TRUE(write_file(file("policy.yaml"), as_bytes("version: 1\nroles:\n"
                                                         "  master: {tee_kinds: {software: software}}\n"
                                                         "  worker: {tee_kinds: {software: software}}\n"
                                                         "  gateway: {tee_kinds: {software: software}}\n")));
    const auto hub = network_->address("hub");
    start("hub", "service-manager",
          fmt::format("nats_address: {}\npolicy: {}\ninitial_tokens: [{{role: master, cluster: road, file: {}}}]\n",
                      hub, file("policy.yaml"), file("master.token")));
    if (HasFatalFailure()) return;
    start(
        "hub", "master",
        fmt::format("cluster: road\nenrolment_token_file: {}\nnats_address: {}\nhost_instances: false\ntee: software\n",
                    file("master.token"), hub));
    if (HasFatalFailure()) return;
    expect({"enrol", "--name", "operator", "--ready", file("master.ready")});
    for (const auto* node : {"left", "right"}) {
      const auto token = file(std::string(node) + ".token");
      expect({"token", "create", "--role", "worker", "--out", token});
      start_worker(node, token);
      if (HasFatalFailure()) return;
    }
  }
  void TearDown() override {
    for (; !daemons_.empty(); daemons_.pop_back()) {
      daemons_.back()->signal(SIGTERM);
      daemons_.back()->wait();
    }
  }

  [[nodiscard]] std::string file(const std::string& name) const { return (root_.path() / name).string(); }
  void start(const std::string& machine, const std::string& name, const std::string& more) {
    const auto role = name == machine ? "worker" : name;
    const auto config = fmt::format("state: {}\nready_file: {}\n{}", file(name), file(name + ".ready"), more);
    ASSERT_TRUE(write_file(file(name + ".yaml"), as_bytes(config)));
    daemons_.push_back(std::make_unique<Background>(
        network_->on(machine, {Platform::binary("tcfdl"), role, "--config", file(name + ".yaml")}), environment_,
        file(name + ".log")));
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(file(name + ".ready")); }))
        << read_text_file(file(name + ".log")).value_or("");
  }
  void start_worker(const std::string& node, const std::string& token) {
    start(node, node,
          fmt::format("node: {0}\nenrolment_token_file: {1}\ntee: software\nlabels: {{side: {0}}}\n"
                      "local_adapter: tcp\ninstance_address: {2}\ninstance_ports: 30000-30009\n",
                      node, token, network_->address(node)));
  }
  /// `more`: further YAML lines.
  void deploy(const std::string& name, const std::string& program, const std::string& more) {
    const auto yaml = fmt::format("name: {0}\ncommand: [bin/{0}]\nfiles: [{{source: {1}, path: bin/{0}}}]\n{2}", name,
                                  Platform::binary(program), more);
    ASSERT_TRUE(write_file(file(name + ".yaml"), as_bytes(yaml)));
    expect({"function", "deploy", file(name + ".yaml")});
  }
  Finished on_hub(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.begin(), Platform::binary("tcfdl"));
    return run(network_->on("hub", std::move(arguments)), environment_, input);
  }
  void expect(std::vector<std::string> arguments) {
    const auto finished = on_hub(std::move(arguments));
    ASSERT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  }

  TemporaryDirectory root_;
  const Environment environment_{{"TCFDL_CONTEXT_DIR", file("contexts")}, {"TCFDL_CONTEXT", ""}};
  std::unique_ptr<Network> network_;
  std::vector<std::unique_ptr<Background>> daemons_;

private:
  std::vector<std::string> names_{"hub", "left", "right"};
};

} // namespace tcfdl::test
