#include "inference/partitioning/nodes_file.hpp"

#include "base/config.hpp"
#include "base/units.hpp"

#include <charconv>

namespace tcfdl::inference {
namespace {

/// A size such as `90MiB`; `otherwise` where it is absent.
double size_or(ConfigMapping& mapping, const std::string& key, double otherwise) {
  const auto text = mapping.text_or(key, "");
  if (text.empty()) return otherwise;
  const auto size = parse_size(text);
  if (size && *size > 0) return static_cast<double>(*size);
  mapping.refuse(key, size ? "must not be 0" : size.error().message());
  return otherwise;
}

double speed_of(ConfigMapping& mapping) {
  const auto text = mapping.text_or("speed", "1");
  double speed = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && speed >= 0.001 && speed <= 1000)
    return speed;
  mapping.refuse("speed", fmt::format("'{}' is no number from 0.001 to 1000", text));
  return 1;
}

} // namespace

Result<PlannerSettings> parse_nodes_file(const std::string& text, const std::string& where) {
  TCFDL_ASSIGN(auto document, ConfigMapping::parse(text, where));
  PlannerSettings settings;
  for (auto& item : document.mappings("nodes")) {
    NodeType type{.name = item.text("name")};
    type.count = static_cast<std::size_t>(item.integer_or("count", 1, 1, static_cast<std::int64_t>(kMostStages)));
    type.memory = static_cast<std::uint64_t>(size_or(item, "enclave_memory", 0));
    if (type.memory == 0) item.refuse("enclave_memory", "is missing");
    type.speed = speed_of(item);
    type.bandwidth = size_or(item, "bandwidth", type.bandwidth);
    TCFDL_TRY(item.finish());
    settings.nodes.push_back(std::move(type));
  }
  if (auto link = document.mapping("link")) {
    settings.link.latency_us = static_cast<double>(link->integer_or("latency_us", 200, 0, 60'000'000));
    settings.link.sealing = size_or(*link, "sealing", settings.link.sealing);
    TCFDL_TRY(link->finish());
  }
  if (settings.nodes.empty()) document.refuse("nodes", "is missing or empty");
  TCFDL_TRY(document.finish());
  return settings;
}

} // namespace tcfdl::inference
