// A table of functions and nodes that is refreshed in place.
#include "cli/api.hpp"
#include "cli/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <thread>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

struct TopOptions {
  bool once = false;
  std::chrono::milliseconds interval{1000};
};

/// Cursor to the upper left corner; what follows overwrites the picture before, line by line.
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";

std::vector<Json> list_of(const Json& status, const char* key) {
  const auto found = status.find(key);
  if (found == status.end() || !found->is_array()) return {};
  return {found->begin(), found->end()};
}

std::string decimal(const Json& object, const char* key, const char* unit = "") {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return "-";
  return fmt::format("{:.1f}{}", found->get<double>(), unit);
}

std::string gibibytes(const Json& node, const char* key) {
  const auto found = node.find(key);
  if (found == node.end() || !found->is_number()) return "-";
  return fmt::format("{:.1f}", found->get<double>() / (1U << 30U));
}

/// Own functions with what is live of them, and nodes.
Json summary_of(const Json& status) {
  constexpr std::array kOfFunction{
      "name",          "version",        "in_flight",       "waiting",          "rate",
      "service_ms",    "median_ms",      "instances_ready", "instances_wanted", "instances_min",
      "instances_max", "instances_warm", "scaling",         "problem"};
  constexpr std::array kOfNode{"name",           "state",  "cores",    "load", "memory_total", "memory_available",
                               "enclave_memory", "labels", "instances"};
  const auto pick = [](const Json& from, const auto& keys) {
    Json picked = Json::object();
    for (const auto* key : keys) {
      if (from.contains(key)) picked[key] = from[key];
    }
    return picked;
  };
  Json summary{{"cluster", status.value("cluster", "")}, {"functions", Json::array()}, {"nodes", Json::array()}};
  for (const auto& function : list_of(status, "functions")) {
    if (function.value("local", false)) summary["functions"].push_back(pick(function, kOfFunction));
  }
  for (const auto& node : list_of(status, "nodes")) summary["nodes"].push_back(pick(node, kOfNode));
  return summary;
}

std::string picture_of(const Json& summary) {
  std::vector<std::vector<std::string>> functions{{"FUNCTION", "RUNNING", "WAITING", "RATE/S", "P50 MS", "MEAN MS",
                                                   "READY", "WANTED", "MIN", "MAX", "WARM", "WHY"}};
  for (const auto& each : list_of(summary, "functions")) {
    functions.push_back({shown(each, "name"), shown(each, "in_flight"), shown(each, "waiting"), decimal(each, "rate"),
                         decimal(each, "median_ms"), decimal(each, "service_ms"), shown(each, "instances_ready"),
                         shown(each, "instances_wanted"), shown(each, "instances_min"), shown(each, "instances_max"),
                         shown(each, "instances_warm"), shown(each, each.contains("problem") ? "problem" : "scaling")});
  }
  std::vector<std::vector<std::string>> nodes{
      {"NODE", "STATE", "CORES", "LOAD", "MEMORY GIB", "LEFT GIB", "INSTANCES", "LABELS"}};
  for (const auto& each : list_of(summary, "nodes")) {
    nodes.push_back({shown(each, "name"), shown(each, "state"), shown(each, "cores"), decimal(each, "load"),
                     gibibytes(each, "memory_total"), gibibytes(each, "memory_available"), shown(each, "instances"),
                     shown(each, "labels")});
  }
  return fmt::format("cluster {}\n\n{}\n{}", shown(summary, "cluster"), table(functions), table(nodes));
}

/// The picture over the one before, without a flicker.
std::string in_place(const std::string& picture) {
  std::string text(kHome);
  for (const auto c : picture) {
    if (c == '\n') text += kClearLine;
    text += c;
  }
  return text + std::string(kClearBelow);
}

Status top(const Session& session, const TopOptions& options) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  const bool live = !options.once && !session.json && ::isatty(STDOUT_FILENO) == 1;
  for (;;) {
    TCFDL_ASSIGN(const auto status, api.get("/v1/status"));
    const auto summary = summary_of(status);
    if (session.json) {
      print_json(summary);
    } else {
      print(live ? in_place(picture_of(summary)) : picture_of(summary));
    }
    if (!live) return {};
    std::this_thread::sleep_for(options.interval);
  }
}

} // namespace

void add_top_command(CLI::App& app, Session& session) {
  auto* command = app.add_subcommand("top", "functions and nodes at work, refreshed until Ctrl-C");
  auto options = std::make_shared<TopOptions>();
  command->add_flag("--once", options->once, "one table; the default where the output is no terminal, and with --json");
  add_duration(*command, "--interval", options->interval, "between two looks; default 1s");
  command->callback(session.run([&session, options] { return top(session, *options); }));
}

} // namespace tcfdl::cli
