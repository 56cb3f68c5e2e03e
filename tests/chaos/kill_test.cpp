// Each process killed under load, and the master's state before and after.
#include "chaos/chaos.hpp"

#include <algorithm>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;

class Killed : public Chaos, public testing::WithParamInterface<Part> {};

TEST_P(Killed, LosesNoAcknowledgedTaskRunsNoneTwiceAndIsReplaced) {
  Load once(calls_of(*client_, "once"), journal_, {.name = "once"});
  Load again(calls_of(*client_, "again"), journal_, {.name = "again", .callers = 2, .may_run_twice = true});
  Submissions submitted(*client_, "once", journal_, {.name = "once"});
  ASSERT_TRUE(once.serves());
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    const auto before = signal(GetParam(), SIGKILL);
    EXPECT_TRUE(eventually([&] { return is_replaced(GetParam(), before); }));
    EXPECT_TRUE(once.serves());
    EXPECT_TRUE(again.serves());
  }
  submitted.stop();
  once.stop();
  again.stop();
  EXPECT_EQ(once.violations(), "");
  EXPECT_EQ(again.violations(), "");
  EXPECT_EQ(submitted.violations(), "");
  RecordProperty("once", once.summary());
  RecordProperty("submitted", submitted.summary());
}

INSTANTIATE_TEST_SUITE_P(UnderLoad, Killed,
                         testing::Values(Part::kInstance, Part::kProxy, Part::kWorker, Part::kBroker, Part::kMaster,
                                         Part::kServiceManager),
                         [](const auto& part) { return part_name(part.param); });

class KilledMaster : public Chaos {};

TEST_F(KilledMaster, ComesBackToItsStateAndToTheVeryInstancesThatRan) {
  ASSERT_EQ(platform_.enrol("anna", {"once"}).exit_code, 0);
  ASSERT_FALSE(
      platform_.json({"access", "create", "ann", "--role", "viewer", "--out", (platform_.root() / "ann.json").string()})
          .is_null());
  ASSERT_EQ(platform_.tcfdl({"function", "scale", "again", "--min", "1", "--max", "2"}).exit_code, 0);
  const auto task = client_->submit("once", as_bytes(journal_.body(milliseconds(1), "kept")));
  ASSERT_TRUE(task) << task.error().to_string();
  ASSERT_TRUE(client_->task_wait(*task, std::chrono::seconds(60)));
  const auto state = durable_state();
  const auto records = audit();
  const auto pids = instances();
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    Load load(calls_of(*client_, "once"), journal_, {.name = "over"});
    ASSERT_TRUE(load.serves());
    const auto before = signal(Part::kMaster, SIGKILL);
    ASSERT_TRUE(eventually([&] { return is_replaced(Part::kMaster, before); }));
    EXPECT_TRUE(load.serves());
    load.stop();
    EXPECT_EQ(load.violations(), "");
  }
  EXPECT_TRUE(eventually([&] { return durable_state() == state; })) << state << "\n" << durable_state();
  const auto after = audit();
  EXPECT_TRUE(std::ranges::search(after, records).begin() != after.end()) << "the audit has all that it had";
  EXPECT_EQ(instances(), pids) << "the very same processes";
}

} // namespace
} // namespace tcfdl::test
