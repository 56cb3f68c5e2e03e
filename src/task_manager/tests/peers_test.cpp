#include "task_manager/tests/fakes.hpp"

namespace tcfdl::task_manager::testing {
namespace {

class Offloading : public TaskManagerTest {
protected:
  Offloading() {
    peers_.providing = true;
    wire::LeaseGrant grant;
    grant.set_cluster("there");
    grant.set_instance("far");
    peers_.answer = grant;
  }
};

TEST_F(Offloading, HappensWhenNoInstanceIsHere) {
  const auto grant = acquire(request());
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->cluster(), "there");
}

TEST_F(Offloading, HappensForFunctionsThatOnlyOthersProvide) {
  auto asked = request();
  asked.set_function("voice/text");
  EXPECT_EQ(acquire(asked)->cluster(), "there");
}

TEST_F(Offloading, HappensWhenTheQueueIsFull) {
  auto narrow = policy();
  narrow.queue_limit = 1;
  manager_.set_function(narrow);
  add_instance("a");
  ASSERT_EQ(acquire(request())->cluster(), "here");
  Waiting waiting(manager_, request());
  await_waiting(1);
  EXPECT_EQ(acquire(request())->cluster(), "there");
  peers_.answer = Error(Code::kUnavailable, "no link");
  EXPECT_EQ(acquire(request()).error().code(), Code::kResourceExhausted);
  waiting.cancel();
}

TEST_F(Offloading, DoesNotHappenWhenAnInstanceIsFreeHere) {
  add_instance("a");
  EXPECT_EQ(acquire(request())->cluster(), "here");
  EXPECT_TRUE(peers_.asked.empty());
}

TEST_F(Offloading, DoesNotHappenToTasksThatHaveToStay) {
  auto asked = request(1);
  asked.set_cluster("here");
  EXPECT_EQ(acquire(asked).error().code(), Code::kUnavailable);
  EXPECT_TRUE(peers_.asked.empty());
}

TEST_F(Offloading, IsForcedByTheNameOfACluster) {
  add_instance("a");
  auto asked = request();
  asked.set_cluster("there");
  EXPECT_EQ(acquire(asked)->cluster(), "there");
  peers_.answer = Error(Code::kNotFound, "no cluster there");
  asked.set_task_id(make_uuid());
  EXPECT_EQ(acquire(asked).error().code(), Code::kNotFound);
}

TEST_F(Offloading, ThatFailsLeavesTheTaskWaitingHere) {
  peers_.answer = Error(Code::kUnavailable, "no link");
  peers_.before_answer = [this] { add_instance("a"); };
  EXPECT_EQ(acquire(request())->cluster(), "here");
}

TEST_F(Offloading, IsRememberedForRepeats) {
  const auto asked = request();
  ASSERT_EQ(acquire(asked)->cluster(), "there");
  add_instance("a");
  ASSERT_EQ(acquire(asked)->cluster(), "there");
  EXPECT_EQ(peers_.asked.at(1).cluster(), "there");
}

TEST_F(Offloading, IsUndoneWhenTheFarInstanceDidNotAccept) {
  auto asked = request();
  ASSERT_EQ(acquire(asked)->cluster(), "there");
  add_instance("a");
  asked.add_exclude("far");
  EXPECT_EQ(acquire(asked)->cluster(), "here");
}

TEST_F(Offloading, PassesReleasesOn) {
  wire::LeaseRelease release;
  release.set_lease_id("1");
  release.set_cluster("there");
  manager_.release(release);
  EXPECT_EQ(peers_.released, std::vector<std::string>{"1"});
}

} // namespace
} // namespace tcfdl::task_manager::testing
