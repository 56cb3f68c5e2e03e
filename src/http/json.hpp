// JSON from outside: bounded, without exceptions, read by key so that unknown keys are errors.
#pragma once

#include "base/result.hpp"

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <tcfdl/bytes.hpp>
#include <utility>
#include <vector>

namespace tcfdl::http {

struct JsonLimits {
  std::size_t depth = 32;                                       // nested arrays and objects
  std::size_t size = std::size_t{1} << 20U;                     // bytes
  std::size_t values = std::numeric_limits<std::size_t>::max(); // in the document, arrays and objects among them
};

/// Takes arrays of a text as they are read, so that large ones never are documents.
class JsonSink {
public:
  virtual ~JsonSink() = default;
  /// What the document has in place of the array that begins as the value of `key`, `depth` arrays and objects deep;
  /// nullopt for an array that is not taken.
  virtual std::optional<nlohmann::json> take_array(std::size_t depth, const std::string& key) = 0;
  /// An array, the one that is taken first, begins and ends.
  virtual void on_array() = 0;
  virtual void on_array_end() = 0;
  /// A value that is no array. Objects are empty here: what they hold is skipped.
  virtual void on_value(const nlohmann::json& value) = 0;
};

/// INVALID_ARGUMENT names the place of malformed text, a key that an object has twice, or the limit that is exceeded.
Result<nlohmann::json> parse_json(BytesView text, JsonLimits limits = {}, JsonSink* sink = nullptr);

/// The text of a document. Bytes that are no UTF-8 become U+FFFD. An indent below 0 gives one line.
std::string dump_json(const nlohmann::json& document, int indent = -1);

/// An array of what is in a list of texts, as a protobuf message has it.
nlohmann::json list_of(const auto& texts) {
  auto array = nlohmann::json::array();
  for (const auto& text : texts) array.push_back(text);
  return array;
}

/// Reads one object. Getters remember the first error; `finish()` returns it, or the first key nobody asked for. Null
/// counts as absent. Errors are INVALID_ARGUMENT and name the path, as `body.stages[2]: 'name' is missing`.
class JsonObject {
public:
  /// `where` names the document in errors, as `body`.
  static Result<JsonObject> parse(BytesView text, std::string where, JsonLimits limits = {});
  static Result<JsonObject> of(nlohmann::json value, std::string where);

  [[nodiscard]] std::string text(const std::string& key);
  [[nodiscard]] std::string text_or(const std::string& key, std::string otherwise);
  [[nodiscard]] std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t most);
  [[nodiscard]] std::int64_t integer_or(const std::string& key, std::int64_t otherwise, std::int64_t least,
                                        std::int64_t most);
  [[nodiscard]] double number_or(const std::string& key, double otherwise, double least, double most);
  [[nodiscard]] bool boolean_or(const std::string& key, bool otherwise);
  /// A list of texts; empty when absent.
  [[nodiscard]] std::vector<std::string> texts(const std::string& key);
  /// A list of whole numbers; empty when absent.
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key, std::int64_t least, std::int64_t most);
  /// An object of texts, ordered by key; empty when absent.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> text_map(const std::string& key);
  /// An object of numbers; empty when absent.
  [[nodiscard]] std::map<std::string, double> number_map(const std::string& key);
  /// A nested object, which the caller finishes; nullopt when absent.
  [[nodiscard]] std::optional<JsonObject> object(const std::string& key);
  /// A list of objects, each of which the caller finishes; empty when absent.
  [[nodiscard]] std::vector<JsonObject> objects(const std::string& key);
  /// Any value, unchecked; nullopt when absent.
  [[nodiscard]] std::optional<nlohmann::json> value(const std::string& key);
  [[nodiscard]] bool has(const std::string& key) const;

  /// Refuses the value of a key for a reason that the getters cannot express.
  void refuse(const std::string& key, const std::string& why);

  Status finish();

private:
  JsonObject(nlohmann::json value, std::string where) : value_(std::move(value)), where_(std::move(where)) {}
  const nlohmann::json* find(const std::string& key);
  /// The list of a key; nullptr when absent or refused.
  const nlohmann::json* list(const std::string& key);
  void missing(const std::string& key);
  void remember(Error error);

  nlohmann::json value_;
  std::string where_;
  std::set<std::string> asked_;
  std::optional<Error> error_;
};

} // namespace tcfdl::http
