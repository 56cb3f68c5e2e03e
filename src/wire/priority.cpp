#include "wire/priority.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::wire {
namespace {

constexpr std::array<std::pair<std::string_view, Priority>, 3> kPriorities{
    {{"low", PRIORITY_LOW}, {"normal", PRIORITY_NORMAL}, {"high", PRIORITY_HIGH}}};

} // namespace

std::string_view priority_word(Priority priority) noexcept {
  const auto* found = std::ranges::find(kPriorities, priority, [](const auto& each) { return each.second; });
  return found == kPriorities.end() ? "normal" : found->first;
}

Result<Priority> parse_priority(std::string_view word) {
  const auto* found = std::ranges::find(kPriorities, word, [](const auto& each) { return each.first; });
  if (found != kPriorities.end()) return found->second;
  return make_error(Code::kInvalidArgument, "'{}' is none of low, normal and high", word.substr(0, 40));
}

} // namespace tcfdl::wire
