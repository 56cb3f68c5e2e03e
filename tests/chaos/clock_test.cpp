// The time of day of a whole machine is set, forwards and backwards, under load.
#include "chaos/chaos.hpp"
#include "support/shifted_clock.hpp"

namespace tcfdl::test {
namespace {

using std::chrono::seconds;

class ClockThatIsSet : public Chaos {
protected:
  void SetUp() override {
    platform_.add_environment(clock_.environment());
    ASSERT_EQ(platform_.up(), "");
    for (const auto* node : {"local-master", "worker-1", "worker-2"})
      clock_.reaches(platform_.state() / "nodes" / node);
    deploy_functions();
  }

  /// One after the other, by whichever nodes and instances.
  bool calls_succeed(Protection protection) {
    const auto call = calls_of(*client_, "once", protection);
    for (unsigned i = 0; i < 16; ++i) {
      if (!call(journal_.body(std::chrono::milliseconds(1), "tried"), seconds(5))) return false;
    }
    return true;
  }

  ShiftedClock clock_;
};

TEST_F(ClockThatIsSet, FarBeforeAllThatWasCertifiedServesAgainAfterAWhile) {
  Load load(calls_of(*client_, "once"), journal_, {.name = "before"});
  ASSERT_TRUE(load.serves());
  load.stop();
  clock_.set(-std::chrono::hours(30));
  EXPECT_TRUE(eventually([&] { return calls_succeed(Protection::kEae) && calls_succeed(Protection::kHse); }));
  MixedLoad after(*client_, "once", journal_);
  EXPECT_TRUE(after.serves());
  EXPECT_EQ(after.violations(), "");
}

TEST_F(ClockThatIsSet, LosesNoTaskAndServiceGoesOn) {
  MixedLoad load(*client_, "once", journal_, {.clocks_are_set = true});
  ASSERT_TRUE(load.serves());
  const auto pids = instances();
  for (unsigned round = 0; round < chaos_rounds(); ++round) {
    for (const auto shift : {seconds(7), seconds(3600), seconds(3500), seconds(0), seconds(-240)}) {
      clock_.set(shift);
      EXPECT_TRUE(load.serves()) << shift.count();
    }
  }
  EXPECT_EQ(load.violations(), "");
  EXPECT_EQ(instances(), pids) << "the very same processes";
}

} // namespace
} // namespace tcfdl::test
