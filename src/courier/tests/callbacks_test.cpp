#include "courier/callbacks.hpp"

#include "courier/tests/fakes.hpp"

#include <gmock/gmock.h>

namespace tcfdl::courier {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Answers with one status after the other, the last one for ever.
class FakeReceivers final : public Receivers {
public:
  [[nodiscard]] Status check(const std::string&) const override { return {}; }
  Result<int> post(const std::string& url, const wire::StoredTask& task, int result, Deadline) override {
    const std::scoped_lock lock(mutex_);
    posted.push_back(fmt::format("{} {} {}", url, task.task_id(), result >= 0 ? "with a result" : "without"));
    changed_.notify_all();
    const auto status = statuses.front();
    if (statuses.size() > 1) statuses.erase(statuses.begin());
    if (status == 0) return Error(Code::kUnavailable, "nobody answers");
    return status;
  }
  bool await(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return posted.size() >= count; });
  }

  std::vector<std::string> posted;
  std::vector<int> statuses{204};

private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class CallbacksTest : public testing::StoreTest {
protected:
  OpenTask submit_with_callback() {
    const auto sealed = header(make_uuid());
    auto task = submission(sealed, "body");
    task.set_callback("https://hooks.example/a");
    auto begun = store_->begin(owner("anna"), task, sealed).value();
    auto& upload = std::get<TaskStore::Upload>(begun);
    EXPECT_TRUE(upload.write(as_bytes(std::string_view("body"))));
    return upload.commit().value();
  }
  void end(const OpenTask& task) {
    ASSERT_TRUE(store_->end(task.ref, End::of(wire::TASK_STATE_FAILED, {Code::kUnavailable, "instance lost"})));
  }
  void start() {
    callbacks_.emplace(CallbackSettings{.threads = 2, .look_every = milliseconds(5)}, *store_, receivers_);
    callbacks_->start();
  }
  void TearDown() override {
    if (callbacks_) callbacks_->stop();
  }
  /// Attempts that failed, as they are on disk.
  std::int64_t failures() {
    const auto attempts = database_->query_one("SELECT attempts FROM callbacks", {},
                                               [](const database::Row& row) { return row.integer(0); });
    return attempts.value().value_or(0);
  }
  /// What is left to be told, whenever it is due. While nobody is at work.
  std::size_t left() {
    now_ += 3'600'000;
    const auto due = store_->due_callbacks().value().size();
    now_ -= 3'600'000;
    return due;
  }

  FakeReceivers receivers_;
  std::optional<Callbacks> callbacks_;
};

TEST_F(CallbacksTest, TellOfATaskWhenItHasEndedAndOnceWhereItIsTaken) {
  const auto task = submit_with_callback();
  EXPECT_EQ(left(), 0U) << "it has not ended";
  end(task);
  EXPECT_EQ(left(), 1U);
  start();
  ASSERT_TRUE(receivers_.await(1));
  callbacks_->stop();
  EXPECT_EQ(receivers_.posted.front(), "https://hooks.example/a " + task.ref.id + " without");
  EXPECT_EQ(receivers_.posted.size(), 1U);
  EXPECT_EQ(left(), 0U);
}

TEST_F(CallbacksTest, ComeAgainLaterUntilTheyAreTaken) {
  receivers_.statuses = {0, 503, 200};
  const auto task = submit_with_callback();
  end(task);
  start();
  ASSERT_TRUE(receivers_.await(1));
  for (std::int64_t attempt = 1; attempt <= 2; ++attempt) {
    while (failures() < attempt) std::this_thread::yield();
    now_ += 60'000;
    ASSERT_TRUE(receivers_.await(static_cast<std::size_t>(attempt) + 1));
  }
  callbacks_->stop();
  EXPECT_EQ(left(), 0U);
}

TEST_F(CallbacksTest, AreKeptOverARestartAndWaitTheirTime) {
  receivers_.statuses = {503};
  end(submit_with_callback());
  start();
  ASSERT_TRUE(receivers_.await(1));
  callbacks_->stop();
  callbacks_.reset();
  reopen();
  EXPECT_TRUE(store_->due_callbacks().value().empty()) << "a second has not passed";
  now_ += 1'000;
  EXPECT_EQ(store_->due_callbacks().value().size(), 1U);
}

TEST_F(CallbacksTest, GoWithTheirTaskAndWhereNobodyWantsThem) {
  receivers_.statuses = {410};
  end(submit_with_callback());
  start();
  ASSERT_TRUE(receivers_.await(1));
  callbacks_->stop();
  EXPECT_EQ(left(), 0U);
  const auto task = submit_with_callback();
  end(task);
  settings_.retention = seconds(1);
  reopen();
  now_ += 2'000;
  ASSERT_TRUE(store_->prune());
  EXPECT_EQ(left(), 0U);
}

} // namespace
} // namespace tcfdl::courier
