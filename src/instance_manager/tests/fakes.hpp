// Ports of the instance manager, played by hand.
#pragma once

#include "instance_manager/ports.hpp"
#include "wire/manifest.hpp"
#include "wire/signed.hpp"

#include <deque>
#include <gmock/gmock.h>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace tcfdl::instance_manager::testing {

/// Copies share one time.
class ManualTime {
public:
  std::chrono::steady_clock::time_point operator()() const { return *now_; }
  void advance(std::chrono::milliseconds by) { *now_ += by; }

private:
  std::shared_ptr<std::chrono::steady_clock::time_point> now_ =
      std::make_shared<std::chrono::steady_clock::time_point>(std::chrono::hours(1));
};

/// Jobs wait until they are let go.
class FakeExecutor final : public Executor {
public:
  void run(std::function<void()> job) override { jobs.push_back(std::move(job)); }
  void run_all() {
    while (!jobs.empty()) {
      const auto job = std::move(jobs.front());
      jobs.pop_front();
      job();
    }
  }
  std::deque<std::function<void()>> jobs;
};

class FakeProxy final : public Proxy {
public:
  Result<wire::LaunchedInstance> launch(const wire::LaunchInstance& order, Deadline) override {
    launched.push_back(order);
    if (refusal) return *refusal;
    wire::LaunchedInstance process;
    process.set_pid(static_cast<std::uint32_t>(1000 + launched.size()));
    for (const auto& group : groups) process.add_groups(group);
    return process;
  }
  Status kill(const InstanceId& instance) override {
    killed.push_back(instance.str());
    return {};
  }
  [[nodiscard]] std::string token() const { return launched.back().environment().at("TCFDL_AGENT_TOKEN"); }

  std::vector<wire::LaunchInstance> launched;
  std::vector<std::string> killed;
  std::vector<std::string> groups;
  std::optional<Error> refusal;
};

class FakeBundles final : public Bundles {
public:
  Result<std::filesystem::path> prepare(BytesView, Deadline) override { return answer; }
  Result<std::filesystem::path> answer = std::filesystem::path("/bundle");
};

class FakeReporter final : public Reporter {
public:
  void instances_changed() override { ++changes; }
  void task_event(const wire::TaskEvent& event) override { tasks.push_back(event); }
  void spans(const InstanceId&, const wire::Spans&) override {}
  int changes = 0;
  std::vector<wire::TaskEvent> tasks;
};

class FakeAgent final : public Agent {
public:
  Status send(const wire::InstanceCommand& command, Deadline) override {
    sent.push_back(command);
    return {};
  }
  std::vector<wire::InstanceCommand> sent;
};

class FakeNodeCommands final : public NodeCommands {
public:
  Status start(const NodeId& node, const wire::StartInstance& order, Deadline) override {
    if (refusal) return *refusal;
    started.emplace_back(node.str(), order);
    return {};
  }
  Status stop(const NodeId&, const wire::StopInstance& order, Deadline) override {
    stopped.push_back(order.instance());
    return {};
  }
  Status probe(const NodeId& node, Deadline) override {
    probed.push_back(node.str());
    if (!silent) return {};
    return Error(Code::kUnavailable, "nobody answers");
  }
  void ask_status(const NodeId& node) override { asked.push_back(node.str()); }
  std::vector<std::string> probed;
  std::vector<std::string> asked;
  bool silent = false; ///< nodes do not answer probes
  std::vector<std::pair<std::string, wire::StartInstance>> started;
  std::vector<std::string> stopped;
  std::optional<Error> refusal;
};

/// One line an event: `ready ID`, `draining ID`, `gone ID`.
class FakeInstanceEvents final : public InstanceEvents {
public:
  void on_ready(const ReadyInstance& instance) override {
    lines.push_back("ready " + instance.instance.str());
    last_ready = instance;
  }
  void on_draining(const InstanceId& instance) override { lines.push_back("draining " + instance.str()); }
  void on_gone(const InstanceId& instance, const std::string& reason) override {
    lines.push_back("gone " + instance.str());
    last_reason = reason;
  }
  void on_problem(const FunctionName&, const std::string& problem) override { problems.push_back(problem); }
  void on_trial_ended(const TrialEnd& end) override { trials.push_back(end); }
  bool has_tasks(const InstanceId& instance) override { return busy.contains(instance.str()); }
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> problems;
  std::vector<TrialEnd> trials;
  std::set<std::string> busy;

  std::vector<std::string> lines;
  ReadyInstance last_ready;
  std::string last_reason;
};

/// Signed by an owner of its own, for a bundle of this manifest.
inline wire::Signed make_descriptor(const std::string& function, std::uint64_t version = 1,
                                    std::string_view manifest = {}) {
  static const auto kOwner = crypto::SigningKey::generate();
  wire::Descriptor descriptor;
  descriptor.set_owner_key(wire::field(kOwner.public_key().bytes()));
  descriptor.set_measurement(wire::field(wire::measure_manifest(as_bytes(manifest))));
  descriptor.add_assurance("software");
  descriptor.add_providers("*");
  descriptor.set_name(function);
  descriptor.set_version(version);
  descriptor.set_concurrency(3);
  descriptor.add_tee_kinds("software");
  return wire::sign(kOwner, descriptor);
}

} // namespace tcfdl::instance_manager::testing
