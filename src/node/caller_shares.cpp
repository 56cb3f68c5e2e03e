#include "node/caller_shares.hpp"

#include "base/ids.hpp"
#include "wire/priority.hpp"

#include <fmt/ranges.h>

namespace tcfdl::node {
namespace {

constexpr std::size_t kMostCallers = 4096;
constexpr std::int64_t kMostWeight = 1000;
constexpr std::string_view kOfCluster = "cluster:";

wire::Priority read_priority(ConfigMapping& caller) {
  const auto priority = wire::parse_priority(caller.text_or("priority", "normal"));
  if (!priority) caller.refuse("priority", priority.error().message());
  return priority.value_or(wire::PRIORITY_NORMAL);
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
    entries.push_back(fmt::format("{{name: \"{}\", weight: {}, priority: {}}}", name, share.weight,
                                  wire::priority_word(share.highest)));
  }
  return fmt::format("callers: [{}]\n", fmt::join(entries, ", "));
}

} // namespace tcfdl::node
