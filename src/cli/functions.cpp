#include "cli/client_tls.hpp"
#include "cli/command.hpp"
#include "cli/deploy.hpp"
#include "http/json.hpp"
#include "wire/descriptor.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <unistd.h>

namespace tcfdl::cli {
namespace {

constexpr const char* kKeyHelp = "of the name's owner; default: owner.key beside the contexts, made when it is missing";

Status run_deploy(const Session& session, DeployOptions options) {
  options.wait.progress = ::isatty(STDERR_FILENO) == 1;
  TCFDL_ASSIGN(const auto context, load_api_context(session.context));
  TCFDL_ASSIGN(auto api, Api::connect(context));
  TCFDL_ASSIGN(const auto function, deploy(api, context, options));
  if (session.json) {
    print_json(function);
  } else {
    print(fmt::format("{} version {} on {}: {} of {} instances ready\n", shown(function, "name"),
                      shown(function, "version"), context.cluster, shown(function, "instances_ready"),
                      shown(function, "instances_wanted")));
    if (function.value("instances_wanted", 0) == 0) print("its first task starts an instance\n");
    if (const auto trial = function.find("trial"); trial != function.end()) {
      print(fmt::format("version {} is on trial; `tcfdl function show {}` says what becomes of it\n",
                        shown(*trial, "version"), shown(function, "name")));
    }
    if (function.contains("problem")) print(fmt::format("problem: {}\n", shown(function, "problem")));
  }
  return {};
}

std::string bounds_of(const Json& function) {
  return shown(function, "instances_min") + "-" + shown(function, "instances_max");
}

std::vector<std::string> row_of(const Json& function) {
  return {shown(function, "name"),
          shown(function, "version"),
          shown(function, "cluster"),
          shown(function, "instances_ready") + "/" + shown(function, "instances_wanted"),
          bounds_of(function),
          shown(function, "waiting"),
          shown(function, "in_flight"),
          shown(function, "protections"),
          shown(function, "confidential")};
}

Status list(const Session& session) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get("/v1/functions"));
  if (session.json) {
    print_json(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "VERSION", "CLUSTER", "READY", "SCALE", "WAITING", "RUNNING", "PROTECTION", "CONFIDENTIAL"}};
  if (const auto functions = answer.find("functions"); functions != answer.end() && functions->is_array()) {
    for (const auto& function : *functions) rows.push_back(row_of(function));
  }
  print(table(rows));
  return {};
}

std::string text_of_instance(const Json& instance) {
  auto text = fmt::format("{} version {} {} on {}", shown(instance, "id"), shown(instance, "version"),
                          shown(instance, "state"), shown(instance, "node"));
  if (const auto memory = instance.value("memory", std::uint64_t{0}); memory > 0) {
    text += fmt::format(", {} MiB, {} processes and threads, {:.1f} s of processor", memory >> 20U,
                        shown(instance, "processes"), instance.value("cpu_ms", 0.0) / 1000);
  }
  if (instance.value("crash_looping", false)) {
    text += fmt::format(", crash loop: {} runs failed, the next in {} ms", shown(instance, "failures"),
                        shown(instance, "retry_in_ms"));
  }
  if (const auto error = instance.value("last_error", std::string()); !error.empty()) text += ": " + error;
  return text;
}

Status show(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto function, api.get(function_target(name)));
  if (session.json) {
    print_json(function);
    return {};
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : function.items()) {
    if (key != "instances") rows.push_back({key, shown(function, key.c_str())});
  }
  if (const auto instances = function.find("instances"); instances != function.end() && instances->is_array()) {
    for (const auto& instance : *instances) rows.push_back({"instance", text_of_instance(instance)});
  }
  print(table(rows));
  return {};
}

Status remove(const Session& session, const std::string& name) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_TRY(api.remove(function_target(name)));
  if (session.json) {
    print_json({{"removed", name}});
  } else {
    print(name + " is removed\n");
  }
  return {};
}

/// What is negative is not said.
struct ScaleOptions {
  std::int64_t min = -1;
  std::int64_t max = -1;
  std::int64_t response_time_ms = -1;
  std::int64_t warm = -1;
};

Status scale(const Session& session, const std::string& name, const ScaleOptions& options) {
  Json change = Json::object();
  if (options.min >= 0) change["min"] = options.min;
  if (options.max >= 0) change["max"] = options.max;
  if (options.response_time_ms >= 0) change["response_time_ms"] = options.response_time_ms;
  if (options.warm >= 0) change["warm"] = options.warm;
  if (change.empty()) return Error(Code::kInvalidArgument, "say --min, --max, --warm or --response-time-target");
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto function, api.post(function_target(name, "/scale"), change));
  if (session.json) {
    print_json(function);
  } else {
    print(fmt::format("{}: {} instances, {} wanted now, {} ready\n", name, bounds_of(function),
                      shown(function, "instances_wanted"), shown(function, "instances_ready")));
  }
  return {};
}

Status rotate_key(const Session& session, const std::string& name, std::chrono::milliseconds overlap) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(overlap).count();
  TCFDL_ASSIGN(const auto answer, api.post(function_target(name, "/keys"), {{"overlap_s", seconds}}));
  if (session.json) {
    print_json(answer);
  } else {
    print(fmt::format("{}: epoch {} is in force; the keys of the one before are erased at {} (Unix seconds)\n", name,
                      shown(answer, "epoch"), shown(answer, "until")));
  }
  return {};
}

/// A heading wherever another instance goes on, as `tail -f` has it; with --json the API's lines.
Status follow_logs(const Session& session, const std::string& name, std::size_t bytes) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  std::string last;
  const auto take = [&](const Json& log) -> Status {
    if (session.json) {
      print(http::dump_json(log) + "\n");
    } else {
      const auto instance = shown(log, "instance");
      if (std::exchange(last, instance) != instance) print(fmt::format("== {}\n", instance));
      print(log.value("text", std::string()));
    }
    return std::ferror(stdout) == 0 ? Status() : Status(Error(Code::kCancelled, "nobody reads the output"));
  };
  return api.follow(function_target(name, fmt::format("/logs?follow=true&bytes={}", bytes)), take);
}

Status logs(const Session& session, const std::string& name, std::size_t bytes) {
  TCFDL_ASSIGN(auto api, Api::of_context(session.context));
  TCFDL_ASSIGN(const auto answer, api.get(function_target(name, fmt::format("/logs?bytes={}", bytes))));
  if (session.json) {
    print_json(answer);
    return {};
  }
  const auto found = answer.find("logs");
  if (found == answer.end() || !found->is_array()) return {};
  for (const auto& log : *found) print(fmt::format("== {}\n{}\n", shown(log, "instance"), shown(log, "text")));
  return {};
}

void add_deploy(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("deploy", "deploy the function that a file describes");
  auto options = std::make_shared<DeployOptions>();
  command->add_option("file", options->file, "see docs/formats/function.md; or what `function sign` wrote")
      ->required()
      ->type_name("FILE.yaml|SIGNED");
  command->add_option("--key", options->key, kKeyHelp)->type_name("FILE");
  command->add_flag("--wait,!--no-wait", options->wait.until_ready, "until its instances are ready (the default)");
  add_duration(*command, "--timeout", options->wait.timeout, "of the wait; default 60s");
  command->callback(session.run([&session, options] { return run_deploy(session, *options); }));
}

void add_scale(CLI::App& command, Session& session, const std::shared_ptr<std::string>& name) {
  auto options = std::make_shared<ScaleOptions>();
  command.add_option("--min", options->min, "instances at least; 0: none while there are no tasks")
      ->check(CLI::Range(0, 1000));
  command.add_option("--max", options->max, "instances at most")->check(CLI::Range(1, 1000));
  command.add_option("--warm", options->warm, "instances more that stand ready for tasks that find none free")
      ->check(CLI::Range(0, 100));
  command
      .add_option("--response-time-target", options->response_time_ms,
                  "milliseconds from a task's arrival to its end; 0: no target")
      ->check(CLI::Range(0, 86'400'000))
      ->type_name("MS");
  command.callback(session.run([&session, name, options] { return scale(session, *name, *options); }));
}

Status run_sign(const Session& session, const std::string& file, const std::string& key, const std::string& out) {
  const auto ask_seal_key = [&session]() -> Result<Bytes> {
    TCFDL_ASSIGN(const auto context, load_api_context(session.context));
    TCFDL_ASSIGN(auto api, Api::connect(context));
    return authority_seal_key(api, context);
  };
  TCFDL_ASSIGN(const auto bundle, sign_file(file, key, ask_seal_key));
  TCFDL_TRY(write_signed(bundle, out));
  const auto& descriptor = bundle.function.descriptor;
  const auto owner = wire::fingerprint(as_bytes(descriptor.owner_key()));
  if (session.json) {
    print_json({{"name", descriptor.name()}, {"version", descriptor.version()}, {"owner", owner}, {"signed", out}});
  } else {
    print(
        fmt::format("{} version {} is signed in {}, owner {}\n", descriptor.name(), descriptor.version(), out, owner));
  }
  return {};
}

void add_sign(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("sign", "sign a function for whoever deploys it, with all its files");
  auto file = std::make_shared<std::string>();
  auto key = std::make_shared<std::string>();
  auto out = std::make_shared<std::string>();
  command->add_option("file", *file, "see docs/formats/function.md")->required()->type_name("FILE.yaml");
  command->add_option("--key", *key, kKeyHelp)->type_name("FILE");
  command->add_option("--out", *out, "a new directory")->required()->type_name("SIGNED");
  command->callback(session.run([&session, file, key, out] { return run_sign(session, *file, *key, *out); }));
}

} // namespace

void add_function_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("function", "what the clusters provide")->require_subcommand(1);
  add_deploy(*group, session);
  add_sign(*group, session);
  group->add_subcommand("list", "all functions")->callback(session.run([&session] { return list(session); }));
  auto name = std::make_shared<std::string>();
  const auto named = [&](const std::string& command, const std::string& help) {
    auto* added = group->add_subcommand(command, help);
    added->add_option("name", *name, "the function's name")->required();
    return added;
  };
  named("show", "one function and its instances")->callback(session.run([&session, name] {
    return show(session, *name);
  }));
  named("remove", "remove a function")->callback(session.run([&session, name] { return remove(session, *name); }));
  add_scale(*named("scale", "how many instances it has: kept until it is deployed again"), session, name);
  auto* rotating = named("rotate-key", "keys of a next epoch; those of the one before are erased after an overlap");
  auto overlap = std::make_shared<std::chrono::milliseconds>(0);
  add_duration(*rotating, "--overlap", *overlap, "while both are valid, up to 24h; default 15m");
  rotating->callback(session.run([&session, name, overlap] { return rotate_key(session, *name, *overlap); }));
  auto* reading = named("logs", "the output of its instances");
  auto bytes = std::make_shared<std::size_t>(std::size_t{64} << 10U);
  reading->add_option("--bytes", *bytes, "of each node, the newest instances first")->check(CLI::Range(1, 1 << 20));
  auto follow = std::make_shared<bool>(false);
  reading->add_flag("-f,--follow", *follow, "go on with what they print, until the function is removed");
  reading->callback(session.run([&session, name, bytes, follow] {
    return *follow ? follow_logs(session, *name, *bytes) : logs(session, *name, *bytes);
  }));
}

} // namespace tcfdl::cli
