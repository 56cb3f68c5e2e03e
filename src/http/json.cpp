#include "http/json.hpp"

#include "http/message.hpp"

namespace tcfdl::http {
namespace {

using nlohmann::json;

constexpr std::size_t kShownKey = 64;

/// Watches a parse for depth and for keys that appear twice.
class Checks {
public:
  explicit Checks(std::size_t depth) : depth_(depth) {}

  /// Whether the parser keeps what it read.
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    using Event = json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) too_deep_ |= std::cmp_greater_equal(depth, depth_);
    if (error_ || too_deep_) return false;
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end && !keys_.empty()) keys_.pop_back();
    if (event == Event::key && !keys_.empty()) note(parsed.get_ref<const std::string&>());
    return true;
  }

  [[nodiscard]] Status status() const {
    if (too_deep_) return make_error(Code::kInvalidArgument, "the JSON text nests deeper than {} levels", depth_);
    if (error_) return *error_;
    return {};
  }

private:
  void note(const std::string& key) {
    if (keys_.back().insert(key).second) return;
    error_ = make_error(Code::kInvalidArgument, "the JSON text has the key '{}' twice", printable(key, kShownKey));
  }

  std::size_t depth_;
  bool too_deep_ = false;
  std::optional<Error> error_;
  std::vector<std::set<std::string>> keys_;
};

std::optional<std::int64_t> as_integer(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (std::in_range<std::int64_t>(number)) return static_cast<std::int64_t>(number);
    return std::nullopt;
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return std::nullopt;
}

} // namespace

Result<json> parse_json(BytesView text, JsonLimits limits) {
  if (text.size() > limits.size) {
    return make_error(Code::kInvalidArgument, "the JSON text has {} bytes, more than {}", text.size(), limits.size);
  }
  try {
    Checks checks(limits.depth);
    auto document = json::parse(text.begin(), text.end(), std::ref(checks));
    TCFDL_TRY(checks.status());
    return document;
  } catch (const json::parse_error& failure) {
    return make_error(Code::kInvalidArgument, "no valid JSON at byte {}", failure.byte);
  } catch (const std::exception& failure) {
    return make_error(Code::kInvalidArgument, "no valid JSON: {}", printable(failure.what()));
  }
}

std::string dump_json(const json& document, int indent) {
  return document.dump(indent, ' ', false, json::error_handler_t::replace);
}

Result<JsonObject> JsonObject::parse(BytesView text, std::string where, JsonLimits limits) {
  auto value = parse_json(text, limits);
  if (!value) return value.error().within(where);
  return of(*std::move(value), std::move(where));
}

Result<JsonObject> JsonObject::of(json value, std::string where) {
  if (!value.is_object()) return make_error(Code::kInvalidArgument, "{}: is no JSON object", where);
  return JsonObject(std::move(value), std::move(where));
}

std::string JsonObject::text(const std::string& key) {
  if (!has(key)) missing(key);
  return text_or(key, {});
}

std::string JsonObject::text_or(const std::string& key, std::string otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->is_string()) return value->get<std::string>();
  refuse(key, "is no text");
  return otherwise;
}

std::int64_t JsonObject::integer(const std::string& key, std::int64_t least, std::int64_t most) {
  if (!has(key)) missing(key);
  return integer_or(key, least, least, most);
}

std::int64_t JsonObject::integer_or(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                    std::int64_t most) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  const auto number = as_integer(*value);
  if (number && *number >= least && *number <= most) return *number;
  refuse(key, fmt::format("is no whole number from {} to {}", least, most));
  return otherwise;
}

double JsonObject::number_or(const std::string& key, double otherwise, double least, double most) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->is_number() && value->get<double>() >= least && value->get<double>() <= most) return value->get<double>();
  refuse(key, fmt::format("is no number from {} to {}", least, most));
  return otherwise;
}

bool JsonObject::boolean_or(const std::string& key, bool otherwise) {
  const auto* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  refuse(key, "is neither true nor false");
  return otherwise;
}

std::vector<std::string> JsonObject::texts(const std::string& key) {
  std::vector<std::string> values;
  const auto* items = list(key);
  if (items == nullptr) return values;
  for (const auto& item : *items) {
    if (item.is_string()) {
      values.push_back(item.get<std::string>());
    } else {
      refuse(key, "has an item that is no text");
    }
  }
  return values;
}

std::vector<std::int64_t> JsonObject::integers(const std::string& key, std::int64_t least, std::int64_t most) {
  std::vector<std::int64_t> values;
  const auto* items = list(key);
  if (items == nullptr) return values;
  for (const auto& item : *items) {
    const auto number = as_integer(item);
    if (number && *number >= least && *number <= most) {
      values.push_back(*number);
    } else {
      refuse(key, fmt::format("has an item that is no whole number from {} to {}", least, most));
    }
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> JsonObject::text_map(const std::string& key) {
  std::vector<std::pair<std::string, std::string>> values;
  const auto* map = find(key);
  if (map == nullptr) return values;
  if (!map->is_object()) {
    refuse(key, "is no object");
    return values;
  }
  for (const auto& [name, item] : map->items()) {
    if (item.is_string()) {
      values.emplace_back(name, item.get<std::string>());
    } else {
      refuse(key, "has a value that is no text");
    }
  }
  return values;
}

std::map<std::string, double> JsonObject::number_map(const std::string& key) {
  std::map<std::string, double> values;
  const auto* map = find(key);
  if (map == nullptr) return values;
  if (!map->is_object()) {
    refuse(key, "is no object");
    return values;
  }
  for (const auto& [name, item] : map->items()) {
    if (item.is_number()) {
      values.emplace(name, item.get<double>());
    } else {
      refuse(key, "has a value that is no number");
    }
  }
  return values;
}

std::optional<JsonObject> JsonObject::object(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_object()) return JsonObject(*value, fmt::format("{}.{}", where_, key));
  refuse(key, "is no object");
  return std::nullopt;
}

std::vector<JsonObject> JsonObject::objects(const std::string& key) {
  std::vector<JsonObject> values;
  const auto* items = list(key);
  if (items == nullptr) return values;
  for (std::size_t i = 0; i < items->size(); ++i) {
    if ((*items)[i].is_object()) {
      values.push_back(JsonObject((*items)[i], fmt::format("{}.{}[{}]", where_, key, i)));
    } else {
      refuse(key, fmt::format("has an item, number {}, that is no object", i));
    }
  }
  return values;
}

std::optional<json> JsonObject::value(const std::string& key) {
  const auto* found = find(key);
  if (found == nullptr) return std::nullopt;
  return *found;
}

bool JsonObject::has(const std::string& key) const {
  const auto found = value_.find(key);
  return found != value_.end() && !found->is_null();
}

void JsonObject::refuse(const std::string& key, const std::string& why) {
  remember(make_error(Code::kInvalidArgument, "{}: '{}' {}", where_, key, why));
}

Status JsonObject::finish() {
  if (error_) return *error_;
  for (const auto& [key, item] : value_.items()) {
    if (asked_.contains(key)) continue;
    return make_error(Code::kInvalidArgument, "{}: unknown key '{}'", where_, printable(key, kShownKey));
  }
  return {};
}

const json* JsonObject::find(const std::string& key) {
  asked_.insert(key);
  return has(key) ? &*std::as_const(value_).find(key) : nullptr;
}

const json* JsonObject::list(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_array()) return value;
  refuse(key, "is no list");
  return nullptr;
}

void JsonObject::missing(const std::string& key) {
  remember(make_error(Code::kInvalidArgument, "{}: '{}' is missing", where_, key));
}

void JsonObject::remember(Error error) {
  if (!error_) error_ = std::move(error);
}

} // namespace tcfdl::http
