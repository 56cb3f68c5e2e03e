#include "base/units.hpp"
#include "cli/command.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace tcfdl::cli {

void print(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
  (void)std::fflush(stdout);
}

void print_json(const Json& document) { print(http::dump_json(document, 2) + "\n"); }

int refuse_usage(const Session& session, const Error& error) {
  (void)std::fprintf(stderr, "tcfdl: %s\n", error.to_string().c_str());
  if (session.json) print(std::string(http::problem(error).text()) + "\n");
  return kWrongUsage;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    text += line + "\n";
  }
  return text;
}

std::string shown(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return found->get_ref<const std::string&>().empty() ? "-" : found->get<std::string>();
  if (!found->is_array()) return http::dump_json(*found);
  std::string text;
  for (const auto& item : *found) {
    text += (text.empty() ? "" : ",") + (item.is_string() ? item.get<std::string>() : http::dump_json(item));
  }
  return text.empty() ? "-" : text;
}

CLI::Option* add_duration(CLI::App& command, const std::string& name, std::chrono::milliseconds& value,
                          const std::string& help) {
  const auto read = [&value](const CLI::results_t& texts) {
    const auto parsed = parse_duration(texts.front());
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    value = *parsed;
    return true;
  };
  return command.add_option(name, read, help)->type_name("DURATION");
}

} // namespace tcfdl::cli
