// `tcfdl node drain` and `tcfdl node resume`.
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "http/url.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <thread>

namespace tcfdl::cli {
namespace {

struct DrainOptions {
  std::string node;
  bool wait = true;
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
};

Result<Json> set_drained(Api& api, const std::string& node, const char* verb) {
  return api.post(fmt::format("/v1/nodes/{}/{}", http::percent_encode(node), verb), Json::object());
}

/// The functions that have instances on a node.
std::vector<std::string> functions_on(const Json& status, const std::string& node) {
  std::vector<std::string> names;
  for (const auto& instance : status.value("instances", Json::array())) {
    if (instance.value("node", "") == node) names.push_back(instance.value("function", ""));
  }
  return names;
}

Status await_empty(Api& api, const std::string& node, Deadline deadline) {
  constexpr std::chrono::milliseconds kLookAgain{200};
  for (;;) {
    TCFDL_ASSIGN(const auto status, api.get("/v1/status"));
    const auto left = functions_on(status, node);
    if (left.empty()) return {};
    if (deadline.expired()) {
      return make_error(Code::kDeadlineExceeded,
                        "{} still has {} instances, among them of {}; they stop when others have taken their place: "
                        "`tcfdl status` says what stands in the way, `tcfdl node resume {}` takes the order back",
                        node, left.size(), left.front(), node);
    }
    std::this_thread::sleep_for(kLookAgain);
  }
}

Status drain(const Session& session, const DrainOptions& options) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, set_drained(api, options.node, "drain"));
  if (options.wait) TCFDL_TRY(await_empty(api, options.node, Deadline::after(options.timeout)));
  if (session.json) {
    print_json(answer);
  } else {
    print(fmt::format("{} {}, and gets no more until `tcfdl node resume {}`\n", options.node,
                      options.wait ? "has no instances" : "is rid of its instances as others take their place",
                      options.node));
  }
  return {};
}

Status resume(const Session& session, const std::string& node) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, set_drained(api, node, "resume"));
  if (session.json) {
    print_json(answer);
  } else {
    print(fmt::format("{} may have instances again\n", node));
  }
  return {};
}

} // namespace

void add_node_drain_commands(CLI::App& group, Session& session) {
  auto options = std::make_shared<DrainOptions>();
  auto* drained = group.add_subcommand("drain", "move a node's instances to others, before it goes");
  drained->add_option("NODE", options->node, "its name")->required();
  drained->add_flag("--wait,!--no-wait", options->wait, "until it has no instances (the default)");
  add_duration(*drained, "--timeout", options->timeout, "of the wait; default 10m");
  drained->callback(session.run([&session, options] { return drain(session, *options); }));
  auto* resumed = group.add_subcommand("resume", "let a drained node have instances again");
  auto node = std::make_shared<std::string>();
  resumed->add_option("NODE", *node, "its name")->required();
  resumed->callback(session.run([&session, node] { return resume(session, *node); }));
}

} // namespace tcfdl::cli
