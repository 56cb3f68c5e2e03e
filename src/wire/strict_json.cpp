#include "wire/strict_json.hpp"

#include <algorithm>
#include <set>

namespace tcfdl::wire {

using nlohmann::json;

Result<json> parse_json_object(BytesView text, JsonBounds bounds) {
  if (text.size() > bounds.size) {
    return make_error(Code::kInvalidArgument, "{} bytes; {} are allowed", text.size(), bounds.size);
  }
  std::vector<std::set<std::string>> keys;
  std::string fault;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    // The depth of an opening event does not count what it opens.
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= bounds.depth) fault = "it is nested too deeply";
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      fault = "an object has a key twice";
    }
    return true;
  };
  auto document = json::parse(text.begin(), text.end(), watch, false);
  if (document.is_discarded()) return Error(Code::kInvalidArgument, "it is no valid JSON");
  if (!fault.empty()) return Error(Code::kInvalidArgument, fault);
  if (!document.is_object()) return Error(Code::kInvalidArgument, "it is no JSON object");
  return document;
}

Status check_json_keys(const json& object, std::initializer_list<std::string_view> required,
                       std::initializer_list<std::string_view> optional) {
  for (const auto key : required) {
    if (!object.contains(key)) return make_error(Code::kInvalidArgument, "'{}' is missing", key);
  }
  for (const auto& item : object.items()) {
    const auto is_key = [&item](std::string_view known) { return known == item.key(); };
    if (std::ranges::any_of(required, is_key) || std::ranges::any_of(optional, is_key)) continue;
    return make_error(Code::kInvalidArgument, "unknown key {}", json(item.key()).dump(-1, ' ', true).substr(0, 80));
  }
  return {};
}

} // namespace tcfdl::wire
