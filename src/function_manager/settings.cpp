#include "function_manager/settings.hpp"

#include "wire/strict_json.hpp"

namespace tcfdl::function_manager {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostInstances = 1000;
constexpr std::uint64_t kMostWarm = 100;
constexpr std::uint64_t kLongestResponseTime = 86'400'000;     // milliseconds
constexpr std::uint64_t kMostMemory = std::uint64_t{1} << 44U; // 16 TiB
constexpr std::uint64_t kMostMillicores = 1'000'000;
constexpr std::uint64_t kMostProcesses = 1'000'000;
constexpr std::uint64_t kLeastProcesses = 16;           // of the sandbox and of a small program with the SDK
constexpr std::uint64_t kLongestHealthTime = 3'600'000; // milliseconds
constexpr std::uint64_t kShortestHealthTime = 1000;
constexpr std::uint64_t kMostFailures = 100;
constexpr std::size_t kMostLabels = 64;
constexpr std::size_t kLongestLabel = 128;

template <class Number> Status read_number(const json& object, const char* key, std::uint64_t most, Number& out) {
  if (!object.contains(key)) return {};
  const auto& value = object[key];
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) {
    return make_error(Code::kInvalidArgument, "{}: a whole number from 0 to {} is wanted", key, most);
  }
  out = static_cast<Number>(value.get<std::uint64_t>());
  return {};
}

Result<json> section(const json& document, const char* key) {
  if (!document.contains(key)) return json::object();
  if (document[key].is_object()) return document[key];
  return make_error(Code::kInvalidArgument, "{}: an object is wanted", key);
}

Status read_scale(const json& document, Scale& scale) {
  TCFDL_ASSIGN(const auto object, section(document, "scale"));
  TCFDL_TRY(wire::check_json_keys(object, {}, {"min", "max", "response_time_ms", "warm"}));
  TCFDL_TRY(read_number(object, "warm", kMostWarm, scale.warm));
  TCFDL_TRY(read_number(object, "response_time_ms", kLongestResponseTime, scale.response_time_ms));
  TCFDL_TRY(read_number(object, "min", kMostInstances, scale.min));
  if (!object.contains("max")) scale.max = std::max(scale.max, scale.min);
  TCFDL_TRY(read_number(object, "max", kMostInstances, scale.max));
  if (scale.max >= 1 && scale.min <= scale.max) return {};
  return make_error(Code::kInvalidArgument, "scale: min is {} and max {}; max is at least 1 and not below min",
                    scale.min, scale.max);
}

Status read_resources(const json& document, Resources& resources) {
  TCFDL_ASSIGN(const auto object, section(document, "resources"));
  TCFDL_TRY(
      wire::check_json_keys(object, {}, {"memory", "enclave_memory", "millicores", "most_millicores", "processes"}));
  TCFDL_TRY(read_number(object, "memory", kMostMemory, resources.memory));
  TCFDL_TRY(read_number(object, "enclave_memory", kMostMemory, resources.enclave_memory));
  TCFDL_TRY(read_number(object, "millicores", kMostMillicores, resources.millicores));
  TCFDL_TRY(read_number(object, "most_millicores", kMostMillicores, resources.most_millicores));
  TCFDL_TRY(read_number(object, "processes", kMostProcesses, resources.processes));
  if (resources.processes != 0 && resources.processes < kLeastProcesses) {
    return make_error(Code::kInvalidArgument, "processes: {} or more are wanted, threads included", kLeastProcesses);
  }
  if (resources.most_millicores == 0 || resources.most_millicores >= resources.millicores) return {};
  return make_error(Code::kInvalidArgument, "most_millicores: {} are below the {} of millicores",
                    resources.most_millicores, resources.millicores);
}

Status read_health(const json& document, Health& health) {
  TCFDL_ASSIGN(const auto object, section(document, "health"));
  TCFDL_TRY(
      wire::check_json_keys(object, {}, {"ready_within_ms", "answer_within_ms", "overdue_ms", "trial_ms", "failures"}));
  const auto times = {std::pair("ready_within_ms", &health.ready_within_ms),
                      std::pair("answer_within_ms", &health.answer_within_ms),
                      std::pair("overdue_ms", &health.overdue_ms)};
  for (const auto& [key, time] : times) {
    TCFDL_TRY(read_number(object, key, kLongestHealthTime, *time));
    if (*time >= kShortestHealthTime) continue;
    return make_error(Code::kInvalidArgument, "{}: at least {} ms are wanted", key, kShortestHealthTime);
  }
  TCFDL_TRY(read_number(object, "trial_ms", kLongestHealthTime, health.trial_ms));
  TCFDL_TRY(read_number(object, "failures", kMostFailures, health.failures));
  if (health.failures > 0) return {};
  return Error(Code::kInvalidArgument, "failures: at least 1 is wanted");
}

Status read_labels(const json& document, std::map<std::string, std::string>& labels) {
  TCFDL_ASSIGN(const auto object, section(document, "labels"));
  if (object.size() > kMostLabels) return make_error(Code::kInvalidArgument, "labels: at most {}", kMostLabels);
  for (const auto& [key, value] : object.items()) {
    if (key.empty() || key.size() > kLongestLabel || !value.is_string() ||
        value.get_ref<const std::string&>().size() > kLongestLabel) {
      return make_error(Code::kInvalidArgument, "labels: names and values are texts of up to {} bytes", kLongestLabel);
    }
    labels[key] = value.get<std::string>();
  }
  return {};
}

} // namespace

Result<FunctionSettings> parse_settings(const std::string& json_text) {
  FunctionSettings settings;
  if (json_text.empty()) return settings;
  const auto read = [&]() -> Status {
    TCFDL_ASSIGN(const auto document, wire::parse_json_object(as_bytes(json_text), {.depth = 2}));
    TCFDL_TRY(wire::check_json_keys(document, {}, {"scale", "resources", "labels", "health"}));
    TCFDL_TRY(read_scale(document, settings.scale));
    TCFDL_TRY(read_resources(document, settings.resources));
    TCFDL_TRY(read_health(document, settings.health));
    return read_labels(document, settings.labels);
  };
  if (const auto status = read(); !status) return status.error().within("settings");
  return settings;
}

std::string write_settings(const FunctionSettings& settings) {
  return json{{"scale",
               {{"min", settings.scale.min},
                {"max", settings.scale.max},
                {"response_time_ms", settings.scale.response_time_ms},
                {"warm", settings.scale.warm}}},
              {"resources",
               {{"memory", settings.resources.memory},
                {"enclave_memory", settings.resources.enclave_memory},
                {"millicores", settings.resources.millicores},
                {"most_millicores", settings.resources.most_millicores},
                {"processes", settings.resources.processes}}},
              {"labels", json(settings.labels)},
              {"health",
               {{"ready_within_ms", settings.health.ready_within_ms},
                {"answer_within_ms", settings.health.answer_within_ms},
                {"overdue_ms", settings.health.overdue_ms},
                {"trial_ms", settings.health.trial_ms},
                {"failures", settings.health.failures}}}}
      .dump();
}

} // namespace tcfdl::function_manager
