#include "wire/task_document.hpp"

namespace tcfdl::wire {
namespace {

constexpr std::string_view kMagic = "TCFDLTD1";
constexpr std::size_t kHead = kMagic.size() + 4;

} // namespace

Bytes task_document_head(const StoredTask& task) {
  const auto message = serialize(task);
  Bytes head = to_bytes(kMagic);
  for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<std::uint8_t>(message.size() >> shift));
  head.insert(head.end(), message.begin(), message.end());
  return head;
}

Result<std::pair<StoredTask, BytesView>> parse_task_document(BytesView document) {
  if (document.size() < kHead || as_text(document.first(kMagic.size())) != kMagic) {
    return Error(Code::kInvalidArgument, "it is no task document; a callback's whole body is one");
  }
  std::size_t size = 0;
  for (const auto byte : document.subspan(kMagic.size(), 4)) size = size << 8U | byte;
  const auto rest = document.subspan(kHead);
  if (size > rest.size()) return Error(Code::kInvalidArgument, "the task document is cut short");
  TCFDL_ASSIGN(auto task, parse<StoredTask>(rest.first(size)));
  return std::pair(std::move(task), rest.subspan(size));
}

} // namespace tcfdl::wire
