// What a callback brings, from whoever knows its URL: read without a crash, and written again as it was.
#include "wire/task_document.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* const kUnused = google::protobuf::SetLogHandler(nullptr);
  (void)kUnused;
  using namespace tcfdl;
  const auto parsed = wire::parse_task_document({data, size});
  if (!parsed) return 0;
  const auto& [task, segments] = *parsed;
  auto document = wire::task_document_head(task);
  document.insert(document.end(), segments.begin(), segments.end());
  const auto again = wire::parse_task_document(document);
  if (!again || wire::serialize(again->first) != wire::serialize(task)) std::abort();
  if (as_text(again->second) != as_text(segments)) std::abort();
  return 0;
}
