#include "courier/task_store.hpp"

#include "courier/tests/fakes.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::courier {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class TaskStoreTest : public testing::StoreTest {
protected:
  End success(const TaskRef& ref, const std::string& result) {
    EXPECT_TRUE(write_file(store_->job(ref).value().result, as_bytes(result)));
    End end;
    end.state = wire::TASK_STATE_SUCCEEDED;
    end.result_header = "header";
    end.result_size = static_cast<std::int64_t>(result.size());
    return end;
  }
};

TEST_F(TaskStoreTest, KeepsATaskAndItsBodyOverARestart) {
  const auto id = make_uuid();
  const auto open = submit("anna", id, "a body");
  ASSERT_TRUE(open) << open.error().to_string();
  reopen();
  const auto job = store_->job(open->ref);
  ASSERT_TRUE(job) << job.error().to_string();
  EXPECT_EQ(read_text_file(job->body).value(), "a body");
  EXPECT_EQ(job->owner.key, "key of anna");
  EXPECT_EQ(job->header.function(), "plates/read");
  EXPECT_EQ(store_->unfinished().value().size(), 1U);
}

TEST_F(TaskStoreTest, ForgetsWhatWasNotSubmittedToItsEnd) {
  const auto sealed = header(make_uuid());
  {
    auto begun = store_->begin(owner("anna"), submission(sealed, "0123456789"), sealed).value();
    ASSERT_TRUE(std::get<TaskStore::Upload>(begun).write(as_bytes("01234")));
    EXPECT_FALSE(std::get<TaskStore::Upload>(begun).commit()) << "half of it is missing";
    EXPECT_EQ(store_->get({owner("anna").id(), sealed.task_id()}).error().code(), Code::kNotFound);
  }
  EXPECT_EQ(files(), 0U);
  auto begun = store_->begin(owner("anna"), submission(sealed, "0123456789"), sealed);
  ASSERT_TRUE(begun) << "the id is free again";
  EXPECT_FALSE(std::get<TaskStore::Upload>(*begun).write(as_bytes("0123456789 and more")));
}

TEST_F(TaskStoreTest, ARepeatWithTheSameBodyIsTheSameTaskAndWithAnotherIsRefused) {
  const auto sealed = header(make_uuid());
  ASSERT_TRUE(submit("anna", sealed.task_id(), "body"));
  const auto again = store_->begin(owner("anna"), submission(sealed, "body"), sealed);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(std::get<wire::StoredTask>(*again).task_id(), sealed.task_id());
  const auto other = store_->begin(owner("anna"), submission(sealed, "body", "another tag"), sealed);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kAlreadyExists);
  EXPECT_TRUE(submit("bert", sealed.task_id(), "body")) << "ids are the caller's own";
}

TEST_F(TaskStoreTest, ShowsATaskToItsOwnerAlone) {
  const auto id = make_uuid();
  ASSERT_TRUE(submit("anna", id));
  EXPECT_EQ(store_->get({owner("bert").id(), id}).error().code(), Code::kNotFound);
  auto client = owner("anna");
  client.on_behalf_of = "bert";
  EXPECT_EQ(store_->get({client.id(), id}).error().code(), Code::kNotFound);
  EXPECT_EQ(store_->list(owner("bert").id()).value().tasks_size(), 0);
  EXPECT_EQ(store_->list(owner("anna").id()).value().tasks_size(), 1);
}

TEST_F(TaskStoreTest, SaysWhichQuotaIsSpent) {
  settings_.most_bytes_each = 100;
  settings_.most_bytes = 150;
  settings_.most_tasks_each = 3;
  reopen();
  const auto refused = [&](const std::string& who, std::size_t size) {
    const auto task = submit(who, make_uuid(), std::string(size, 'x'));
    EXPECT_FALSE(task);
    EXPECT_EQ(task.error().code(), Code::kResourceExhausted);
    return task.error().message();
  };
  ASSERT_TRUE(submit("anna", make_uuid(), std::string(90, 'x')));
  EXPECT_THAT(refused("anna", 11), HasSubstr("the caller's quota"));
  EXPECT_THAT(refused("bert", 61), HasSubstr("the cluster's quota"));
  ASSERT_TRUE(submit("bert", make_uuid(), "1"));
  ASSERT_TRUE(submit("bert", make_uuid(), "2"));
  ASSERT_TRUE(submit("bert", make_uuid(), "3"));
  EXPECT_THAT(refused("bert", 1), HasSubstr("3 stored tasks"));
}

TEST_F(TaskStoreTest, KeepsTheResultInPlaceOfTheBody) {
  const auto open = submit("anna", make_uuid(), std::string(1000, 'b')).value();
  ASSERT_TRUE(store_->set_running(open.ref, "read-1", "worker-1"));
  ASSERT_TRUE(store_->end(open.ref, success(open.ref, "sealed result")));
  EXPECT_EQ(files(), 1U);
  const auto task = store_->get(open.ref).value();
  EXPECT_EQ(task.state(), wire::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(task.result_header(), "header");
  reopen();
  EXPECT_TRUE(store_->open_result(open.ref));
  EXPECT_TRUE(store_->unfinished().value().empty());
}

TEST_F(TaskStoreTest, AnEndIsFinal) {
  const auto open = submit("anna", make_uuid()).value();
  ASSERT_TRUE(store_->end(open.ref, success(open.ref, "result")));
  ASSERT_TRUE(store_->end(open.ref, End::of(wire::TASK_STATE_CANCELLED, {Code::kCancelled, "too late"})));
  EXPECT_EQ(store_->get(open.ref).value().state(), wire::TASK_STATE_SUCCEEDED);
  EXPECT_TRUE(store_->open_result(open.ref));
}

TEST_F(TaskStoreTest, PrunesByAge) {
  settings_.retention = seconds(100);
  reopen();
  const auto ended = submit("anna", make_uuid()).value();
  const auto waiting = submit("anna", make_uuid()).value();
  ASSERT_TRUE(store_->end(ended.ref, success(ended.ref, "result")));
  now_ += 99'000;
  ASSERT_TRUE(store_->prune());
  EXPECT_TRUE(store_->get(ended.ref));
  now_ += 2'000;
  ASSERT_TRUE(store_->prune());
  EXPECT_EQ(store_->get(ended.ref).error().code(), Code::kNotFound);
  EXPECT_TRUE(store_->get(waiting.ref));
  EXPECT_EQ(files(), 1U) << "the body of the one that waits";
}

TEST_F(TaskStoreTest, ResultsTakeThePlaceOfTheOldestOfTheSameOwner) {
  settings_.most_bytes_each = 100;
  reopen();
  std::vector<TaskRef> refs;
  for (int i = 0; i < 3; ++i) {
    refs.push_back(submit("anna", make_uuid(), "body").value().ref);
    ++now_;
    ASSERT_TRUE(store_->end(refs.back(), success(refs.back(), std::string(40, 'r'))));
  }
  EXPECT_FALSE(store_->get(refs[0]));
  EXPECT_TRUE(store_->get(refs[1]));
  EXPECT_TRUE(store_->get(refs[2]));
  const auto large = submit("anna", make_uuid(), "body").value();
  EXPECT_EQ(store_->end(large.ref, success(large.ref, std::string(101, 'r'))).error().code(), Code::kResourceExhausted);
}

TEST_F(TaskStoreTest, RemovesWhatBelongsToNoTask) {
  const auto open = submit("anna", make_uuid()).value();
  ASSERT_TRUE(write_file(store_->job(open.ref).value().result, as_bytes("part of a result")));
  ASSERT_TRUE(write_file(settings_.directory / "stray.body", as_bytes("no task's")));
  reopen();
  EXPECT_EQ(files(), 1U);
  EXPECT_TRUE(std::filesystem::exists(store_->job(open.ref).value().body));
}

TEST_F(TaskStoreTest, AWaitEndsWithTheTaskAndWithTheStore) {
  const auto open = submit("anna", make_uuid()).value();
  auto waiting =
      std::async(std::launch::async, [&] { return store_->wait(open.ref, Deadline::after(seconds(60)), {}); });
  ASSERT_TRUE(store_->end(open.ref, success(open.ref, "result")));
  EXPECT_EQ(waiting.get().value().state(), wire::TASK_STATE_SUCCEEDED);
  const auto other = submit("anna", make_uuid()).value();
  auto closing =
      std::async(std::launch::async, [&] { return store_->wait(other.ref, Deadline::after(seconds(60)), {}); });
  store_->close();
  EXPECT_EQ(closing.get().value().state(), wire::TASK_STATE_WAITING);
}

} // namespace
} // namespace tcfdl::courier
