#include "instance_manager/room.hpp"

#include "base/format.hpp"

#include <algorithm>
#include <vector>

namespace tcfdl::instance_manager {
namespace {

constexpr std::size_t kUnbounded = 1'000'000;

void take(Amount& from, std::uint64_t amount) { from.left -= std::min(from.left, amount); }

std::size_t times(std::uint64_t need, const Amount& amount) {
  if (need == 0 || amount.total == 0) return kUnbounded;
  return static_cast<std::size_t>(std::min<std::uint64_t>(amount.left / need, kUnbounded));
}

bool has_labels(const Needs& needs, const NodeRoom& node) {
  return std::ranges::all_of(needs.labels, [&](const auto& label) {
    const auto found = node.labels.find(label.first);
    return found != node.labels.end() && found->second == label.second;
  });
}

std::string size_text(std::uint64_t bytes) {
  constexpr double kMebi = 1 << 20U;
  const auto mebi = static_cast<double>(bytes) / kMebi;
  return mebi < 1024 ? fmt::format("{:.1f} MiB", mebi) : fmt::format("{:.1f} GiB", mebi / 1024);
}

std::string lacking_size(const char* what, std::uint64_t need, const Amount& amount) {
  return fmt::format("{}: {} wanted, {} of {} left", what, size_text(need), size_text(amount.left),
                     size_text(amount.total));
}

std::string lacking_label(const std::string& key, const std::string& value, const Labels& labels) {
  const auto found = labels.find(key);
  return found == labels.end() ? fmt::format("label {}={} wanted, it has none", key, value)
                               : fmt::format("label {}={} wanted, it has {}", key, value, found->second);
}

} // namespace

void NodeRoom::reserve(const Needs& needs, std::uint64_t used) {
  take(memory, needs.memory - std::min(needs.memory, used));
  take(enclave_memory, needs.enclave_memory);
  take(millicores, needs.millicores);
}

std::size_t room_for(const Needs& needs, const NodeRoom& node) {
  if (!has_labels(needs, node)) return 0;
  return std::min({times(needs.memory, node.memory), times(needs.enclave_memory, node.enclave_memory),
                   times(needs.millicores, node.millicores)});
}

std::string shortage(const Needs& needs, const NodeRoom& node) {
  std::vector<std::string> lacks;
  for (const auto& [key, value] : needs.labels) {
    const auto found = node.labels.find(key);
    if (found == node.labels.end() || found->second != value) lacks.push_back(lacking_label(key, value, node.labels));
  }
  if (times(needs.memory, node.memory) == 0) lacks.push_back(lacking_size("memory", needs.memory, node.memory));
  if (times(needs.enclave_memory, node.enclave_memory) == 0) {
    lacks.push_back(lacking_size("enclave memory", needs.enclave_memory, node.enclave_memory));
  }
  if (times(needs.millicores, node.millicores) == 0) {
    lacks.push_back(fmt::format("processor: {} millicores wanted, {} of {} left", needs.millicores,
                                node.millicores.left, node.millicores.total));
  }
  return fmt::to_string(fmt::join(lacks, ", "));
}

unsigned tenths_in_use(const NodeRoom& node) {
  unsigned most = 0;
  for (const auto& amount : {node.memory, node.enclave_memory, node.millicores}) {
    if (amount.total == 0) continue;
    const auto used = amount.total - std::min(amount.total, amount.left);
    most = std::max(most, static_cast<unsigned>(used * 10 / amount.total));
  }
  return most;
}

} // namespace tcfdl::instance_manager
