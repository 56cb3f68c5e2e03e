#include "sdk/caller_bursts.hpp"

#include "sdk/task_manager_client.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::chrono::milliseconds kSteady{20};
constexpr std::size_t kMostKinds = 1024;

} // namespace

std::string CallerBursts::kind_of(const wire::LeaseRequest& request, const CallOptions& options) {
  return fmt::format("{} {} {} {} {} {} {}", request.function(), request.cluster(), request.protection(),
                     static_cast<int>(request.priority()), options.assurance, options.route, request.on_behalf_of());
}

std::unique_ptr<CallerBurst> CallerBursts::take(const std::string& kind, Deadline deadline) {
  for (;;) {
    auto last = kinds_.with([&](auto& kinds) -> std::unique_ptr<CallerBurst> {
      const auto found = kinds.find(kind);
      if (found == kinds.end() || found->second.idle.empty()) return nullptr;
      if (deadline.when() > found->second.idle.back()->end.when()) return nullptr;
      auto burst = std::move(found->second.idle.back());
      found->second.idle.pop_back();
      return burst;
    });
    if (!last) return nullptr;
    if (!last->until.expired() && is_fresh(*last->connection->connection)) return last;
  }
}

void CallerBursts::give_back(const std::string& kind, std::unique_ptr<CallerBurst> burst) {
  kinds_.with([&](auto& kinds) { kinds[kind].idle.push_back(std::move(burst)); });
}

void CallerBursts::note_end(const std::string& kind) {
  const auto now = Deadline::Clock::now();
  kinds_.with([&](auto& kinds) {
    if (kinds.size() >= kMostKinds) {
      std::erase_if(kinds, [&](const auto& entry) { return now - entry.second.last_end > kSteady; });
    }
    kinds[kind].last_end = now;
  });
}

bool CallerBursts::is_steady(const std::string& kind) const {
  return kinds_.with([&](const auto& kinds) {
    const auto found = kinds.find(kind);
    return found != kinds.end() && Deadline::Clock::now() - found->second.last_end <= kSteady;
  });
}

} // namespace tcfdl::sdk
