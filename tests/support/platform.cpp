#include "support/platform.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>

namespace tcfdl::test {

Platform::Platform(const std::string& topology) {
  environment_ = {{"TCFDL_CONTEXT_DIR", (root_.path() / "contexts").string()},
                  {"XDG_STATE_HOME", (root_.path() / "xdg").string()},
                  {"TCFDL_CONTEXT", ""}};
  if (topology.empty()) return;
  topology_ = (root_.path() / "topology.yaml").string();
  (void)write_file(topology_, as_bytes(topology));
}

Platform::~Platform() { down(); }

std::string Platform::binary(const std::string& name) { return std::string(TCFDL_TEST_BIN) + "/" + name; }

std::string Platform::up() {
  ::setenv("TCFDL_CONTEXT_DIR", environment_.at("TCFDL_CONTEXT_DIR").c_str(), 1);
  std::vector<std::string> arguments{"up", "--detach", "--state", state().string()};
  if (!topology_.empty()) arguments.insert(arguments.end(), {"--topology", topology_});
  const auto finished = tcfdl(arguments);
  return finished.exit_code == 0 ? std::string() : finished.out + finished.err;
}

Finished Platform::down() { return tcfdl({"down", "--state", state().string()}); }

Finished Platform::tcfdl(std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.begin(), binary("tcfdl"));
  return run(arguments, environment_, input);
}

Json Platform::json(std::vector<std::string> arguments) {
  arguments.emplace_back("--json");
  const auto finished = tcfdl(std::move(arguments));
  return finished.exit_code == 0 ? Json::parse(finished.out, nullptr, false) : Json();
}

Finished Platform::deploy(const std::string& name, const std::string& program, const std::string& more,
                          const std::vector<std::string>& arguments, const std::string& context) {
  std::string file = name;
  std::ranges::replace(file, '/', '-');
  const auto path = root_.path() / (file + ".yaml");
  auto command = "bin/" + program;
  for (const auto& argument : arguments) command += fmt::format(", \"{}\"", argument);
  const auto yaml =
      fmt::format("name: {}\ncommand: [{}]\nfiles:\n  - {{source: {}, path: bin/{}}}\nprotection: [eae, hse, none]\n{}",
                  name, command, binary(program), program, more);
  (void)write_file(path, as_bytes(yaml));
  std::vector<std::string> call{"function", "deploy", path.string()};
  if (!context.empty()) call.insert(call.end(), {"--context", context});
  return tcfdl(call);
}

Finished Platform::enrol(const std::string& name, const std::vector<std::string>& grants) {
  const auto token = (root_.path() / "token").string();
  std::vector<std::string> create{"token", "create", "--role", "client", "--out", token};
  for (const auto& grant : grants) create.insert(create.end(), {"--grant", grant});
  auto created = tcfdl(create);
  if (created.exit_code != 0) return created;
  const auto file = std::filesystem::path(environment_.at("TCFDL_CONTEXT_DIR")) / "local.json";
  const auto context = Json::parse(read_text_file(file).value_or("null"), nullptr, false);
  return tcfdl({"enrol", "--token", token, "--api", context.value("api_url", ""), "--name", name, "--api-token",
                context.value("api_token", ""), "--cluster", "local", "--tasks", context.value("tasks_address", ""),
                "--tasks-token", context.value("tasks_token", "")});
}

Invoked Platform::invoke(const std::string& name, const std::string& input, std::vector<std::string> options) {
  const auto in = root_.path() / "in";
  const auto out = root_.path() / "out";
  const auto summary = root_.path() / "summary.json";
  std::error_code ignored;
  std::filesystem::remove(out, ignored);
  std::filesystem::remove(summary, ignored);
  (void)write_file(in, as_bytes(input));
  std::vector<std::string> call{"invoke", name,         "--in",      in.string(),
                                "--out",  out.string(), "--summary", summary.string()};
  call.insert(call.end(), options.begin(), options.end());
  const auto finished = tcfdl(call);
  Invoked result{finished.exit_code, read_text_file(out, std::size_t{1} << 30U).value_or(""), finished.err, {}};
  result.summary = Json::parse(read_text_file(summary).value_or("null"), nullptr, false);
  return result;
}

namespace {

/// Processes of the machine whose command line has all the texts.
std::vector<pid_t> processes(std::initializer_list<std::string> texts) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto text = read_text_file(entry.path() / "cmdline").value_or("");
    const auto has = [&](const std::string& each) { return text.find(each) != std::string::npos; };
    if (std::ranges::all_of(texts, has)) found.push_back(std::stoi(name));
  }
  return found;
}

} // namespace

std::vector<pid_t> Platform::pids(const std::string& program, const std::string& argument) const {
  return processes({program, argument, state().string()});
}

std::vector<pid_t> Platform::instances(const std::string& program) const {
  auto found = processes({program});
  std::erase_if(found, [&](pid_t pid) {
    // Which bundle an instance sees, in a mount namespace of its own, is in its list of mounts.
    const auto mounts = read_text_file("/proc/" + std::to_string(pid) + "/mountinfo").value_or("");
    return mounts.find(root_.path().filename().string() + "/state/") == std::string::npos;
  });
  return found;
}

Json Platform::ready(const std::string& daemon) const {
  return Json::parse(read_text_file(state() / "ready" / (daemon + ".json")).value_or("null"), nullptr, false);
}

pid_t Platform::master() const {
  const auto shown = ready("local-master");
  return shown.is_object() ? shown.value("pid", 0) : 0;
}

bool Platform::kill_master() const {
  const auto pid = master();
  return pid > 0 && ::kill(pid, SIGKILL) == 0 &&
         eventually([&] { return !is_alive(pid) && master() != 0 && master() != pid; });
}

} // namespace tcfdl::test
