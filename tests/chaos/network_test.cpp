// Ways between machines that are cut, silent, slow or corrupting, under load: between a worker and its master's message
// queue, between a caller and the task door, between two clusters.
#include "chaos/chaos.hpp"
#include "support/tcp_gate.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sdk/context.hpp>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kHost = "127.0.0.1";

/// The kinds of a bad way, as its two ends see it.
enum class Fault : std::uint8_t { kCut, kSilence, kCorruption };

void begin(TcpGate& gate, Fault fault) {
  if (fault == Fault::kCut) gate.cut(true);
  if (fault == Fault::kSilence) gate.both({.stalled = true});
  if (fault == Fault::kCorruption) gate.both({.corrupted = true});
}

void heal(TcpGate& gate) {
  gate.open();
  gate.both({});
}

std::string fault_name(const testing::TestParamInfo<Fault>& fault) {
  switch (fault.param) {
  case Fault::kCut: return "Cut";
  case Fault::kSilence: return "Silence";
  case Fault::kCorruption: break;
  }
  return "Corruption";
}

class WorkersWay : public Chaos, public testing::WithParamInterface<Fault> {
protected:
  void SetUp() override {
    Chaos::SetUp();
    gate_.emplace(kHost, 0, kHost, platform_.ready("local-master")["nats_port"].get<std::uint16_t>());
    const auto file = platform_.state() / "nodes" / "worker-1" / "node.json";
    auto state = Json::parse(read_text_file(file).value());
    auto entrance = Json::parse(state["entrance"].get<std::string>());
    entrance["port"] = gate_->port();
    state["entrance"] = entrance.dump();
    ASSERT_TRUE(write_file(file, as_bytes(state.dump()), kPrivateFile));
    const auto before = signal(Part::kWorker, SIGTERM);
    ASSERT_TRUE(eventually([&] { return is_replaced(Part::kWorker, before); }));
    ASSERT_TRUE(eventually([&] { return has_worker() && gate_->passed() > 0; }));
  }
  bool has_worker() {
    const auto nodes = platform_.json({"status"}).value("nodes", Json::array());
    return std::ranges::any_of(nodes, [](const Json& node) { return node.value("name", "") == "worker-1"; });
  }

  std::optional<TcpGate> gate_;
};

TEST_P(WorkersWay, ThatIsBadLosesTheNodeForItsTimeAndNoTask) {
  ASSERT_TRUE(eventually([&] { return instances().size() == 4; }));
  MixedLoad load(*client_, "once", journal_, {.callers = 2, .pause = milliseconds(30)});
  ASSERT_TRUE(load.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    begin(*gate_, GetParam());
    EXPECT_TRUE(eventually([&] { return !has_worker(); }));
    EXPECT_TRUE(load.serves()) << "by the other node";
    heal(*gate_);
    EXPECT_TRUE(eventually([&] { return has_worker(); }));
    EXPECT_TRUE(eventually([&] { return instances().size() == 4; })) << "and no more than are wanted";
    EXPECT_TRUE(load.serves());
  }
  EXPECT_EQ(load.violations(), "");
}

INSTANTIATE_TEST_SUITE_P(To, WorkersWay, testing::Values(Fault::kCut, Fault::kSilence, Fault::kCorruption), fault_name);

class CallersWay : public Chaos {
protected:
  void SetUp() override {
    Chaos::SetUp();
    auto context = sdk::load_context("local").value();
    const auto port = context.tasks_address.substr(context.tasks_address.rfind(':') + 1);
    gate_.emplace(kHost, 0, kHost, static_cast<std::uint16_t>(std::stoi(port)));
    context.name = "gated";
    context.tasks_address = fmt::format("tcp:{}:{}", kHost, gate_->port());
    ASSERT_TRUE(sdk::save_context(context, false));
    gated_ = Client::connect("gated").value();
  }

  std::optional<TcpGate> gate_;
  std::unique_ptr<Client> gated_;
};

TEST_F(CallersWay, ThatIsCutSilentOrSlowCostsNoTaskTwiceAndNoCallMoreThanItsTime) {
  Load load(calls_of(*gated_, "once"), journal_, {.name = "gated", .timeout = milliseconds(4000)});
  Submissions submitted(*gated_, "once", journal_, {.name = "gated"});
  ASSERT_TRUE(load.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    for (int cut = 0; cut < 5; ++cut) { // in the midst of whatever goes on
      gate_->cut();
      EXPECT_TRUE(load.ends(5));
    }
    gate_->to_client({.stalled = true});
    EXPECT_TRUE(load.ends(6));
    heal(*gate_);
    EXPECT_TRUE(load.serves());
    gate_->both({.delay = milliseconds(5), .slice = 50});
    EXPECT_TRUE(load.serves(6));
    heal(*gate_);
    EXPECT_TRUE(load.serves());
  }
  submitted.stop();
  load.stop();
  EXPECT_EQ(load.violations(), "");
  EXPECT_EQ(submitted.violations(), "");
}

class LinkedClusters : public Chaos, public testing::WithParamInterface<Fault> {
protected:
  LinkedClusters() : Chaos("clusters:\n  - {name: local, workers: [worker-1]}\n  - {name: far, workers: [far-1]}\n") {}
  void SetUp() override {
    Chaos::SetUp();
    const auto remote = platform_.deploy("remote", "chaos_function", "concurrency: 4\n", {}, "far");
    ASSERT_EQ(remote.exit_code, 0) << remote.err;
    // The other cluster tells that it is where the gate is; its message queue listens elsewhere.
    constexpr const char* kGate = "127.0.0.2";
    const auto port = platform_.ready("far-master")["nats_port"].get<std::uint16_t>();
    gate_.emplace(kGate, port, kHost, port);
    const auto file = platform_.state() / "config" / "far-master.yaml";
    const auto config = read_text_file(file).value() + fmt::format("advertise: {}\n", kGate);
    ASSERT_TRUE(write_file(file, as_bytes(config), kPrivateFile));
    const auto before = platform_.ready("far-master")["pid"].get<pid_t>();
    ::kill(before, SIGTERM);
    ASSERT_TRUE(eventually([&] {
      const auto ready = platform_.ready("far-master");
      return !is_alive(before) && ready.is_object() && ready.value("pid", 0) != before;
    }));
  }

  std::optional<TcpGate> gate_;
};

TEST_P(LinkedClusters, EndTheirCallsByTheDeadlineWhileTheWayIsBadAndGoOnAfterwards) {
  Load load(calls_of(*client_, "remote"), journal_,
            {.name = "linked", .timeout = milliseconds(4000), .pause = milliseconds(30)});
  ASSERT_TRUE(load.serves());
  EXPECT_GT(gate_->passed(), 0U);
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    begin(*gate_, GetParam());
    EXPECT_TRUE(load.ends(9));
    heal(*gate_);
    EXPECT_TRUE(load.serves());
  }
  load.stop();
  EXPECT_EQ(load.violations(), "");
}

INSTANTIATE_TEST_SUITE_P(To, LinkedClusters, testing::Values(Fault::kCut, Fault::kSilence, Fault::kCorruption),
                         fault_name);

} // namespace
} // namespace tcfdl::test
