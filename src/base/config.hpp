// Strict YAML: every key is asked for by the schema, unknown keys are errors, errors name file, path and remedy.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include <yaml-cpp/yaml.h>

namespace tcfdl {

/// Reads one mapping. Getters remember the first error; `finish()` returns it, or the first key nobody asked for.
class ConfigMapping {
public:
  /// Parses a document whose root is a mapping. `where` names it in errors, as a file's path.
  static Result<ConfigMapping> parse(const std::string& text, std::string where);

  [[nodiscard]] std::string text(const std::string& key);
  [[nodiscard]] std::string text_or(const std::string& key, std::string otherwise);
  [[nodiscard]] std::int64_t integer_or(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                        std::int64_t most);
  [[nodiscard]] bool boolean_or(const std::string& key, bool otherwise);
  /// A list of scalars; empty when absent.
  [[nodiscard]] std::vector<std::string> texts(const std::string& key);
  /// A mapping of scalars in the document's order; empty when absent.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> text_map(const std::string& key);
  /// A nested mapping, which the caller finishes; nullopt when absent.
  [[nodiscard]] std::optional<ConfigMapping> mapping(const std::string& key);
  /// A list of mappings, each of which the caller finishes; empty when absent.
  [[nodiscard]] std::vector<ConfigMapping> mappings(const std::string& key);

  /// Refuses the value of a key for a reason that the schema cannot express.
  void refuse(const std::string& key, const std::string& why);

  Status finish();

private:
  ConfigMapping(const YAML::Node& node, std::string where) : node_(node), where_(std::move(where)) {}
  std::optional<YAML::Node> find(const std::string& key);
  std::optional<std::string> scalar(const std::string& key);
  void remember(Error error);

  YAML::Node node_;
  std::string where_;
  std::set<std::string> asked_;
  std::optional<Error> error_;
};

} // namespace tcfdl
