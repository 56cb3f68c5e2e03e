#include "wire/task_document.hpp"

#include <gmock/gmock.h>

namespace tcfdl::wire {
namespace {

StoredTask ended_task() {
  StoredTask task;
  task.set_task_id("0190b3c0-0000-7000-8000-000000000001");
  task.set_state(TASK_STATE_SUCCEEDED);
  task.set_result_header("header");
  return task;
}

TEST(TaskDocument, GivesWhatWentIn) {
  auto document = task_document_head(ended_task());
  const auto segments = to_bytes("segments");
  document.insert(document.end(), segments.begin(), segments.end());
  const auto parsed = parse_task_document(document);
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->first.task_id(), ended_task().task_id());
  EXPECT_EQ(as_text(parsed->second), "segments");
}

TEST(TaskDocument, RefusesWhatIsNone) {
  const auto document = task_document_head(ended_task());
  for (std::size_t size = 0; size < document.size(); ++size) {
    EXPECT_FALSE(parse_task_document(BytesView(document).first(size))) << "the first " << size << " bytes";
  }
  auto other = document;
  other[0] ^= 1;
  EXPECT_FALSE(parse_task_document(other));
  other = document;
  other[8] = 0xFF;
  EXPECT_FALSE(parse_task_document(other)) << "a size beyond its end";
}

} // namespace
} // namespace tcfdl::wire
