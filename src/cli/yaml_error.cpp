#include "cli/yaml_error.hpp"

#include <charconv>
#include <yaml-cpp/yaml.h>

namespace tcfdl::cli {
namespace {

/// Takes `name: ` or `name[3]: ` off the front of a message and descends to what it names.
bool descend(std::string_view& message, YAML::Node& node) {
  const auto end = message.find(": ");
  if (end == std::string_view::npos || message.starts_with('\'') || message.find(' ') < end) return false;
  const auto step = message.substr(0, end);
  const auto bracket = step.find('[');
  const YAML::Node found = std::as_const(node)[std::string(step.substr(0, bracket))];
  if (!found.IsDefined()) return false;
  node.reset(found);
  if (bracket != std::string_view::npos) {
    std::size_t index = 0;
    std::from_chars(step.data() + bracket + 1, step.data() + step.size(), index);
    if (!node.IsSequence() || index >= node.size()) return false;
    node.reset(YAML::Node(node[index]));
  }
  message.remove_prefix(end + 2);
  return true;
}

int line_of(std::string_view message, YAML::Node node) {
  while (node.IsMap() && descend(message, node)) {
  }
  if (message.starts_with('\'') && node.IsMap()) {
    const auto key = std::string(message.substr(1, message.find('\'', 1) - 1));
    const YAML::Node value = std::as_const(node)[key];
    if (value.IsDefined()) node.reset(value);
  }
  return node.Mark().line + 1;
}

} // namespace

Error with_line(const Error& error, const std::string& text, const std::string& where) {
  const auto prefix = where + ": ";
  if (!error.message().starts_with(prefix)) return error;
  const auto rest = error.message().substr(prefix.size());
  if (rest.starts_with("unknown key") || rest.find(": unknown key") != std::string::npos) return error;
  try {
    return {error.code(), fmt::format("{}:{}: {}", where, line_of(rest, YAML::Load(text)), rest)};
  } catch (const YAML::Exception&) {
    return error;
  }
}

} // namespace tcfdl::cli
