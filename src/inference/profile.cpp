#include "inference/profile.hpp"

#include "base/format.hpp"
#include "http/json.hpp"

#include <algorithm>

namespace tcfdl::inference {
namespace {

constexpr std::string_view kKernelTime = "_kernel_time";
constexpr std::size_t kLargestProfile = std::size_t{1} << 30U;

/// A list such as `[{"float":[1,64,56,56]},{"int64":[]}]`.
std::vector<TensorInfo> outputs_of(const nlohmann::json& list) {
  std::vector<TensorInfo> outputs;
  if (!list.is_array()) return outputs;
  for (const auto& item : list) {
    if (!item.is_object() || item.size() != 1) continue;
    TensorInfo info{.name = {}, .type = element_type(item.begin().key())};
    for (const auto& dimension : item.begin().value()) {
      if (dimension.is_number_integer()) info.shape.push_back(dimension.get<std::int64_t>());
    }
    outputs.push_back(std::move(info));
  }
  return outputs;
}

double median_without_first(std::vector<double> times) {
  if (times.size() > 1) times.erase(times.begin());
  std::ranges::sort(times);
  return times.empty() ? 0 : times[times.size() / 2];
}

} // namespace

Result<std::map<std::string, NodeProfile>> parse_profile(BytesView text) {
  TCFDL_ASSIGN(const auto events, http::parse_json(text, {.depth = 16, .size = kLargestProfile}));
  if (!events.is_array()) return make_error(Code::kInvalidArgument, "the profile is no list of events");
  std::map<std::string, NodeProfile> nodes;
  std::map<std::string, std::vector<double>> times;
  for (const auto& event : events) {
    if (!event.is_object() || event.value("cat", "") != "Node") continue;
    auto name = event.value("name", "");
    if (!name.ends_with(kKernelTime) || !event.contains("dur") || !event["dur"].is_number()) continue;
    name.resize(name.size() - kKernelTime.size());
    times[name].push_back(event["dur"].get<double>());
    if (nodes.contains(name)) continue;
    const auto arguments = event.value("args", nlohmann::json::object());
    NodeProfile node{.order = nodes.size()};
    if (arguments.is_object() && arguments.contains("output_type_shape")) {
      node.outputs = outputs_of(arguments["output_type_shape"]);
    }
    nodes.emplace(std::move(name), std::move(node));
  }
  for (auto& [name, node] : nodes) node.time_us = median_without_first(times[name]);
  return nodes;
}

} // namespace tcfdl::inference
