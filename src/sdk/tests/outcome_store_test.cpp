#include "sdk/outcome_store.hpp"

#include <future>
#include <gtest/gtest.h>

namespace tcfdl::sdk {
namespace {

class ManualClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return now_; }
  void advance(std::int64_t seconds) { now_ += seconds; }

private:
  UnixSeconds now_ = 1'800'000'000;
};

const crypto::Fingerprint kBody{1};
const crypto::Fingerprint kOtherBody{2};

class OutcomeStoreTest : public testing::Test {
protected:
  auto begin(const std::string& task, const crypto::Fingerprint& body = kBody, const std::string& sender = "anna") {
    return store_.begin(sender, task, body, Deadline::after(std::chrono::seconds(10)));
  }
  bool is_new(const std::string& task) {
    const auto begun = begin(task);
    return begun && !*begun;
  }
  /// The kept outcome's text, or the code that refuses a repeat.
  std::string repeat(const std::string& task, const crypto::Fingerprint& body = kBody) {
    const auto begun = begin(task, body);
    if (!begun) return std::string(code_name(begun.error().code()));
    return *begun ? std::string(as_text((**begun)->body)) : "new";
  }
  void run(const std::string& task, std::size_t size) {
    ASSERT_TRUE(is_new(task));
    store_.finish("anna", task, std::make_shared<const Outcome>(Outcome{0, Bytes(size, 'x')}));
  }

  ManualClock clock_;
  OutcomeStore store_{100, 4, 60, clock_};
};

TEST_F(OutcomeStoreTest, GivesARepeatTheStoredOutcome) {
  run("t", 3);
  EXPECT_EQ(repeat("t"), "xxx");
  EXPECT_EQ(repeat("t"), "xxx");
}

TEST_F(OutcomeStoreTest, RefusesAnotherBodyUnderTheSameTask) {
  ASSERT_TRUE(is_new("t"));
  EXPECT_EQ(repeat("t", kOtherBody), "ALREADY_EXISTS") << "while it runs";
  store_.finish("anna", "t", std::make_shared<const Outcome>());
  EXPECT_EQ(repeat("t", kOtherBody), "ALREADY_EXISTS") << "after it ran";
}

TEST_F(OutcomeStoreTest, KeepsSendersApart) {
  run("t", 3);
  const auto other = begin("t", kOtherBody, "bert");
  ASSERT_TRUE(other);
  EXPECT_FALSE(*other);
}

TEST_F(OutcomeStoreTest, JoinsTheRunningTask) {
  ASSERT_TRUE(is_new("t"));
  auto joined = std::async(std::launch::async, [&] { return repeat("t"); });
  store_.finish("anna", "t", std::make_shared<const Outcome>(Outcome{0, to_bytes("done")}));
  EXPECT_EQ(joined.get(), "done");
}

TEST_F(OutcomeStoreTest, EndsAJoinAtItsDeadline) {
  ASSERT_TRUE(is_new("t"));
  const auto joined = store_.begin("anna", "t", kBody, Deadline::after(std::chrono::seconds(0)));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code(), Code::kDeadlineExceeded);
}

TEST_F(OutcomeStoreTest, RefusesARepeatWhoseOutcomeWasNotKept) {
  ASSERT_TRUE(is_new("streamed"));
  store_.finish("anna", "streamed", nullptr);
  EXPECT_EQ(repeat("streamed"), "ALREADY_EXISTS");
  run("large", 26);
  EXPECT_EQ(repeat("large"), "ALREADY_EXISTS") << "no single outcome takes more than a quarter of the budget";
}

TEST_F(OutcomeStoreTest, ForgetsTheOldestOutcomesBeyondItsBudgetAndRefusesTheirRepeats) {
  OutcomeStore store(100, 100, 60, clock_);
  const auto begin = [&](int task) {
    return store.begin("anna", std::to_string(task), kBody, Deadline::after_millis(0));
  };
  for (int task = 0; task < 5; ++task) {
    ASSERT_TRUE(begin(task));
    store.finish("anna", std::to_string(task), std::make_shared<const Outcome>(Outcome{0, Bytes(25, 'x')}));
  }
  const auto oldest = begin(0);
  ASSERT_FALSE(oldest);
  EXPECT_EQ(oldest.error().code(), Code::kAlreadyExists);
  for (int task = 1; task < 5; ++task) EXPECT_TRUE(begin(task).value()) << task;
}

TEST_F(OutcomeStoreTest, RemembersNoMoreTasksThanItsBound) {
  for (const auto* task : {"1", "2", "3", "4", "5", "6"}) run(task, 1);
  EXPECT_EQ(repeat("6"), "x");
  EXPECT_EQ(repeat("1"), "new");
}

TEST_F(OutcomeStoreTest, NeverForgetsARunningTask) {
  ASSERT_TRUE(is_new("running"));
  for (const auto* task : {"1", "2", "3", "4", "5", "6"}) run(task, 1);
  clock_.advance(1000);
  EXPECT_EQ(repeat("running", kOtherBody), "ALREADY_EXISTS");
}

TEST_F(OutcomeStoreTest, ForgetsATaskAfterItsLifetime) {
  run("t", 3);
  clock_.advance(59);
  EXPECT_EQ(repeat("t"), "xxx");
  clock_.advance(1);
  EXPECT_EQ(repeat("t"), "new");
}

} // namespace
} // namespace tcfdl::sdk
