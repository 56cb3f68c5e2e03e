#include "base/config.hpp"

#include <charconv>

namespace tcfdl {

Result<ConfigMapping> ConfigMapping::parse(const std::string& text, std::string where) {
  try {
    const auto node = YAML::Load(text);
    if (!node.IsMap()) return make_error(Code::kInvalidArgument, "{}: the document is no mapping of keys", where);
    return ConfigMapping(node, std::move(where));
  } catch (const YAML::Exception& failure) {
    return make_error(Code::kInvalidArgument, "{}:{}: no valid YAML: {}", where, failure.mark.line + 1, failure.msg);
  }
}

std::string ConfigMapping::text(const std::string& key) {
  if (auto value = scalar(key)) return *std::move(value);
  remember(make_error(Code::kInvalidArgument, "{}: '{}' is missing", where_, key));
  return {};
}

std::string ConfigMapping::text_or(const std::string& key, std::string otherwise) {
  return scalar(key).value_or(std::move(otherwise));
}

std::int64_t ConfigMapping::integer_or(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                       std::int64_t most) {
  const auto value = scalar(key);
  if (!value) return otherwise;
  std::int64_t number = 0;
  const auto* end = value->data() + value->size();
  const auto parsed = std::from_chars(value->data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && number >= least && number <= most) return number;
  refuse(key, fmt::format("'{}' is no whole number from {} to {}", *value, least, most));
  return otherwise;
}

bool ConfigMapping::boolean_or(const std::string& key, bool otherwise) {
  const auto value = scalar(key);
  if (!value) return otherwise;
  if (*value == "true" || *value == "false") return *value == "true";
  refuse(key, fmt::format("'{}' is neither true nor false", *value));
  return otherwise;
}

std::vector<std::string> ConfigMapping::texts(const std::string& key) {
  std::vector<std::string> values;
  const auto node = find(key);
  if (!node) return values;
  if (!node->IsSequence()) {
    refuse(key, "is no list");
    return values;
  }
  for (const auto& item : *node) {
    if (item.IsScalar()) {
      values.push_back(item.Scalar());
    } else {
      refuse(key, "has an item that is no plain text");
    }
  }
  return values;
}

std::vector<std::pair<std::string, std::string>> ConfigMapping::text_map(const std::string& key) {
  std::vector<std::pair<std::string, std::string>> values;
  const auto node = find(key);
  if (!node) return values;
  if (!node->IsMap()) {
    refuse(key, "is no mapping");
    return values;
  }
  for (const auto& item : *node) {
    if (item.first.IsScalar() && item.second.IsScalar()) {
      values.emplace_back(item.first.Scalar(), item.second.Scalar());
    } else {
      refuse(key, "has an entry that is no plain text");
    }
  }
  return values;
}

std::optional<ConfigMapping> ConfigMapping::mapping(const std::string& key) {
  const auto node = find(key);
  if (!node) return std::nullopt;
  if (node->IsMap()) return ConfigMapping(*node, fmt::format("{}: {}", where_, key));
  refuse(key, "is no mapping");
  return std::nullopt;
}

std::vector<ConfigMapping> ConfigMapping::mappings(const std::string& key) {
  std::vector<ConfigMapping> items;
  const auto node = find(key);
  if (!node) return items;
  if (!node->IsSequence()) {
    refuse(key, "is no list");
    return items;
  }
  for (std::size_t i = 0; i < node->size(); ++i) {
    if ((*node)[i].IsMap()) {
      items.push_back(ConfigMapping((*node)[i], fmt::format("{}: {}[{}]", where_, key, i)));
    } else {
      refuse(key, fmt::format("[{}] is no mapping", i));
    }
  }
  return items;
}

void ConfigMapping::refuse(const std::string& key, const std::string& why) {
  remember(make_error(Code::kInvalidArgument, "{}: '{}': {}", where_, key, why));
}

Status ConfigMapping::finish() {
  if (error_) return *error_;
  for (const auto& item : node_) {
    const auto key = item.first.IsScalar() ? item.first.Scalar() : std::string("(no plain text)");
    if (!asked_.contains(key)) {
      return make_error(Code::kInvalidArgument, "{}: unknown key '{}' in line {}", where_, key,
                        item.first.Mark().line + 1);
    }
  }
  return {};
}

std::optional<YAML::Node> ConfigMapping::find(const std::string& key) {
  asked_.insert(key);
  YAML::Node value = std::as_const(node_)[key];
  if (!value.IsDefined() || value.IsNull()) return std::nullopt;
  return value;
}

std::optional<std::string> ConfigMapping::scalar(const std::string& key) {
  const auto node = find(key);
  if (!node) return std::nullopt;
  if (node->IsScalar()) return node->Scalar();
  refuse(key, "is no plain text");
  return std::nullopt;
}

void ConfigMapping::remember(Error error) {
  if (!error_) error_ = std::move(error);
}

} // namespace tcfdl
