#include "node/log_follower.hpp"

#include <condition_variable>

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{500};
constexpr milliseconds kAnswerTime{2000};
constexpr milliseconds kSilence{10'000};
constexpr std::uint32_t kMostOfNode = 256U << 10U; // bytes of one node

} // namespace

std::optional<api_service::Json> NodeLogFollower::next(const std::stop_token& gone) {
  std::mutex mutex;
  std::condition_variable_any never;
  const auto silent = Deadline::after(kSilence);
  while (!gone.stop_requested() && functions_.get(function_.str())) {
    auto logs = read_all();
    if (!logs.empty() || silent.expired()) return logs;
    std::unique_lock lock(mutex);
    never.wait_for(lock, gone, kPause, [] { return false; });
  }
  return std::nullopt;
}

api_service::Json NodeLogFollower::read_all() {
  auto logs = api_service::Json::array();
  for (const auto& node : instances_.view().nodes) {
    const auto& name = node.status.node();
    const auto found = commander_.logs(NodeId(name), question(name), Deadline::after(kAnswerTime));
    if (!found) continue; // asked again for the same
    auto& positions = *after_[name].mutable_positions();
    for (const auto& log : found->logs()) {
      positions[log.instance()] = log.end();
      if (!log.text().empty()) logs.push_back({{"instance", log.instance()}, {"text", log.text()}});
    }
  }
  return logs;
}

wire::ReadLogs NodeLogFollower::question(const std::string& node) const {
  wire::ReadLogs request;
  request.set_function(function_.str());
  const auto known = after_.find(node);
  if (known != after_.end()) *request.mutable_after() = known->second;
  request.set_max_bytes(request.has_after() ? kMostOfNode : static_cast<std::uint32_t>(bytes_));
  return request;
}

} // namespace tcfdl::node
