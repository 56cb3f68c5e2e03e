#include "node/caller_shares.hpp"

#include "base/ids.hpp"

#include <algorithm>
#include <fmt/ranges.h>

namespace tcfdl::node {
namespace {

constexpr std::size_t kMostCallers = 4096;
constexpr std::int64_t kMostWeight = 1000;
constexpr std::string_view kOfCluster = "cluster:";

constexpr std::array<std::pair<std::string_view, wire::Priority>, 3> kPriorities{
    {{"low", wire::PRIORITY_LOW}, {"normal", wire::PRIORITY_NORMAL}, {"high", wire::PRIORITY_HIGH}}};

wire::Priority read_priority(ConfigMapping& caller) {
  const auto text = caller.text_or("priority", "normal");
  const auto* found =
      std::ranges::find(kPriorities, std::string_view(text), [](const auto& each) { return each.first; });
  if (found != kPriorities.end()) return found->second;
  caller.refuse("priority", fmt::format("'{}' is none of low, normal and high", text));
  return wire::PRIORITY_NORMAL;
}

std::string read_name(ConfigMapping& caller, const task_manager::CallerShares& known) {
  auto name = caller.text("name");
  const auto of_cluster = name.starts_with(kOfCluster);
  const auto label = std::string_view(name).substr(of_cluster ? kOfCluster.size() : 0);
  if (const auto good = check_label(label, of_cluster ? "cluster" : "caller"); !name.empty() && !good) {
    caller.refuse("name", good.error().message());
  }
  if (known.contains(name)) caller.refuse("name", fmt::format("'{}' is there twice", name));
  return name;
}

} // namespace

Result<task_manager::CallerShares> read_caller_shares(ConfigMapping& config) {
  task_manager::CallerShares shares;
  auto callers = config.mappings("callers");
  if (callers.size() > kMostCallers) config.refuse("callers", fmt::format("has more than {} entries", kMostCallers));
  for (auto& caller : callers) {
    auto name = read_name(caller, shares);
    task_manager::CallerShare share;
    share.weight = static_cast<unsigned>(caller.integer_or("weight", 1, 1, kMostWeight));
    share.highest = read_priority(caller);
    TCFDL_TRY(caller.finish());
    shares.emplace(std::move(name), share);
  }
  return shares;
}

std::string write_caller_shares(const task_manager::CallerShares& shares) {
  if (shares.empty()) return {};
  std::vector<std::string> entries;
  for (const auto& [name, share] : shares) {
    const auto* priority = std::ranges::find(kPriorities, share.highest, [](const auto& each) { return each.second; });
    entries.push_back(fmt::format("{{name: \"{}\", weight: {}, priority: {}}}", name, share.weight, priority->first));
  }
  return fmt::format("callers: [{}]\n", fmt::join(entries, ", "));
}

} // namespace tcfdl::node
