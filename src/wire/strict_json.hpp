// JSON from outside: bounded, no key twice, no exceptions.
#pragma once

#include "base/result.hpp"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <tcfdl/bytes.hpp>

namespace tcfdl::wire {

struct JsonBounds {
  std::size_t size = 64UL * 1024; ///< bytes
  int depth = 3;                  ///< objects and lists inside each other, with the outermost
};

/// Parses a document whose root is an object. INVALID_ARGUMENT names the bound or rule that it breaks.
Result<nlohmann::json> parse_json_object(BytesView text, JsonBounds bounds);

/// INVALID_ARGUMENT unless all required keys are there and no others than those and the optional ones.
Status check_json_keys(const nlohmann::json& object, std::initializer_list<std::string_view> required,
                       std::initializer_list<std::string_view> optional);

} // namespace tcfdl::wire
