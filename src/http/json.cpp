#include "http/json.hpp"

#include "http/message.hpp"

namespace tcfdl::http {
namespace {

using nlohmann::json;

constexpr std::size_t kShownKey = 64;

/// Makes the document of a text; the first thing that is refused ends the parse.
class Builder final : public json::json_sax_t {
public:
  Builder(const JsonLimits& limits, JsonSink* sink) : limits_(limits), sink_(sink) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(json::binary_t&) override { return false; } // not in texts

  bool start_array(std::size_t) override {
    if (!enter()) return false;
    if (skipped_ > 0) return ++skipped_ > 0;
    if (taken_ == 0 && !takes_array()) return open(json::array());
    if (error_) return false;
    ++taken_;
    sink_->on_array();
    return true;
  }
  bool end_array() override {
    --depth_;
    if (skipped_ > 0) {
      --skipped_;
    } else if (taken_ > 0) {
      --taken_;
      sink_->on_array_end();
    } else {
      open_.pop_back();
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (!enter()) return false;
    if (skipped_ > 0) return ++skipped_ > 0;
    if (taken_ == 0) return open(json::object());
    ++skipped_;
    sink_->on_value(json::object());
    return true;
  }
  bool end_object() override {
    --depth_;
    if (skipped_ > 0) {
      --skipped_;
    } else {
      open_.pop_back();
    }
    return true;
  }
  bool key(std::string& key) override {
    if (skipped_ > 0) return true;
    if (open_.back()->contains(key)) {
      return refuse(
          make_error(Code::kInvalidArgument, "the JSON text has the key '{}' twice", printable(key, kShownKey)));
    }
    key_ = std::move(key);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    return refuse(make_error(Code::kInvalidArgument, "no valid JSON at byte {}", position));
  }

  Result<json> document() && {
    if (error_) return *std::move(error_);
    return std::move(document_);
  }

private:
  bool refuse(Error error) {
    error_ = std::move(error);
    return false;
  }
  bool enter() {
    if (++depth_ <= limits_.depth) return true;
    return refuse(make_error(Code::kInvalidArgument, "the JSON text nests deeper than {} levels", limits_.depth));
  }
  bool takes_array() {
    if (sink_ == nullptr || open_.empty() || !open_.back()->is_object()) return false;
    auto instead = sink_->take_array(open_.size(), key_);
    if (!instead) return false;
    (void)place(*std::move(instead));
    return true;
  }
  bool open(json container) {
    auto* const placed = place(std::move(container));
    if (placed != nullptr) open_.push_back(placed);
    return placed != nullptr;
  }
  bool add(json value) {
    if (skipped_ > 0) return true;
    if (taken_ == 0) return place(std::move(value)) != nullptr;
    sink_->on_value(value);
    return true;
  }
  /// Where the value is in the document; nullptr where it has too many.
  json* place(json value) {
    if (++values_ > limits_.values) {
      refuse(make_error(Code::kInvalidArgument, "the JSON text has more than {} values", limits_.values));
      return nullptr;
    }
    auto* const at = open_.empty() ? &document_ : add_to(*open_.back());
    *at = std::move(value);
    return at;
  }
  json* add_to(json& container) const {
    if (container.is_object()) return &container[key_];
    container.push_back(nullptr);
    return &container.back();
  }

  const JsonLimits limits_;
  JsonSink* const sink_;
  json document_;
  std::vector<json*> open_; ///< the arrays and objects around; the outer ones do not move while an inner one is open
  std::string key_;         ///< of the next value, in an object
  std::size_t depth_ = 0;
  std::size_t taken_ = 0;   ///< arrays around that are the sink's
  std::size_t skipped_ = 0; ///< arrays and objects around that nobody keeps
  std::size_t values_ = 0;
  std::optional<Error> error_;
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

/// Gives `take` the members of an object; one that it does not take is refused with `why`.
template <class Take>
void read_members(JsonObject& object, const std::string& key, const json* map, const char* why, Take take) {
  if (map == nullptr) return;
  if (!map->is_object()) return object.refuse(key, "is no object");
  for (const auto& [name, item] : map->items()) {
    if (!take(name, item)) object.refuse(key, why);
  }
}

} // namespace

Result<json> parse_json(BytesView text, JsonLimits limits, JsonSink* sink) {
  if (text.size() > limits.size) {
    return make_error(Code::kInvalidArgument, "the JSON text has {} bytes, more than {}", text.size(), limits.size);
  }
  try {
    Builder builder(limits, sink);
    json::sax_parse(text.begin(), text.end(), &builder);
    return std::move(builder).document();
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
  read_members(*this, key, find(key), "has a value that is no text", [&](const auto& name, const json& item) {
    if (item.is_string()) values.emplace_back(name, item.get<std::string>());
    return item.is_string();
  });
  return values;
}

std::map<std::string, double> JsonObject::number_map(const std::string& key) {
  std::map<std::string, double> values;
  read_members(*this, key, find(key), "has a value that is no number", [&](const auto& name, const json& item) {
    if (item.is_number()) values.emplace(name, item.get<double>());
    return item.is_number();
  });
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
