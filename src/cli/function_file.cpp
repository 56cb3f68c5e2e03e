#include "cli/function_file.hpp"

#include "base/config.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/schedule.hpp"
#include "base/units.hpp"
#include "cli/yaml_error.hpp"

#include <algorithm>
#include <charconv>

namespace tcfdl::cli {
namespace {

constexpr std::string_view kExec = "tcfdl-exec";
constexpr std::string_view kExecPath = "bin/tcfdl-exec";

/// The texts of a list, `otherwise` when it is absent, each of which must be known.
std::vector<std::string> words(ConfigMapping& root, const std::string& key, std::vector<std::string> otherwise,
                               std::initializer_list<std::string_view> known) {
  auto found = root.texts(key);
  if (found.empty()) return otherwise;
  for (const auto& word : found) {
    if (std::ranges::find(known, word) == known.end()) {
      root.refuse(key, fmt::format("'{}' is none of {}", word, fmt::join(known, ", ")));
    }
  }
  return found;
}

std::uint64_t size_or(ConfigMapping& mapping, const std::string& key, std::string otherwise, std::uint64_t most) {
  const auto size = parse_size(mapping.text_or(key, std::move(otherwise)));
  if (!size) {
    mapping.refuse(key, size.error().message());
    return 0;
  }
  if (*size > most) mapping.refuse(key, fmt::format("is more than {} bytes", most));
  return *size;
}

/// Nullopt where the key is absent, or refused.
std::optional<std::chrono::milliseconds> duration(ConfigMapping& mapping, const std::string& key,
                                                  std::chrono::milliseconds least) {
  const auto text = mapping.text_or(key, "");
  if (text.empty()) return std::nullopt;
  const auto parsed = parse_duration(text);
  if (parsed && *parsed >= least && *parsed <= std::chrono::hours(1)) return *parsed;
  mapping.refuse(key, parsed ? fmt::format("'{}' is not within {} s and an hour", text, least.count() / 1000)
                             : parsed.error().message());
  return std::nullopt;
}

void read_health(ConfigMapping& root, FunctionFile& function, Status& status) {
  auto health = root.mapping("health");
  if (!health) return;
  constexpr std::chrono::seconds kShortest{1};
  function.health.ready_within = duration(*health, "ready_within", kShortest);
  function.health.answer_within = duration(*health, "answer_within", kShortest);
  function.health.overdue = duration(*health, "overdue", kShortest);
  function.health.trial = duration(*health, "trial", std::chrono::seconds(0));
  const auto failures = health->integer_or("failures", 0, 1, 100);
  if (failures > 0) function.health.failures = static_cast<std::uint32_t>(failures);
  if (status) status = health->finish();
}

void read_scale(ConfigMapping& root, FunctionFile& function, Status& status) {
  if (auto scale = root.mapping("scale")) {
    function.scale_min = static_cast<std::uint32_t>(scale->integer_or("min", 1, 0, 1000));
    const std::int64_t least = std::max<std::uint32_t>(function.scale_min, 1);
    function.scale_max = static_cast<std::uint32_t>(scale->integer_or("max", least, 1, 1000));
    function.scale_warm = static_cast<std::uint32_t>(scale->integer_or("warm", 0, 0, 100));
    if (function.scale_max < least) scale->refuse("max", fmt::format("is less than min, {}", least));
    const auto response = parse_duration(scale->text_or("response_time", "0ms"));
    if (!response) {
      scale->refuse("response_time", response.error().message());
    } else if (*response > std::chrono::hours(24)) {
      scale->refuse("response_time", "is more than a day");
    } else {
      function.response_time_ms = static_cast<std::uint32_t>(response->count());
    }
    if (status) status = scale->finish();
  }
  if (auto resources = root.mapping("resources")) {
    function.memory = resources->text_or("memory", "");
    if (!function.memory.empty()) (void)size_or(*resources, "memory", "", std::uint64_t{1} << 44U);
    function.enclave_memory = resources->text_or("enclave_memory", "");
    if (!function.enclave_memory.empty()) (void)size_or(*resources, "enclave_memory", "", std::uint64_t{1} << 44U);
    const auto count = [&](const char* key, std::int64_t least) {
      return static_cast<std::uint32_t>(resources->integer_or(key, 0, least, 1'000'000));
    };
    function.millicores = count("millicores", 0);
    function.most_millicores = count("most_millicores", function.millicores);
    function.processes = count("processes", 16);
    if (status) status = resources->finish();
  }
}

/// The assurance classes that TEEs of these kinds reach.
std::vector<std::string> classes_of(const std::vector<std::string>& tee_kinds) {
  std::vector<std::string> classes;
  const auto software = std::ranges::count(tee_kinds, "software");
  if (software > 0) classes.emplace_back("software");
  if (software < std::ssize(tee_kinds)) classes.emplace_back("hardware");
  return classes;
}

/// What runs the function besides calls.
void read_triggers(ConfigMapping& root, FunctionFile& function) {
  auto triggers = root.mapping("triggers");
  if (!triggers) return;
  function.topics = triggers->texts("topics");
  for (const auto& topic : function.topics) {
    if (const auto named = parse_function_name(topic); !named) triggers->refuse("topics", named.error().message());
  }
  if (!function.topics.empty() && function.isolate_instance) {
    triggers->refuse("topics", "a function with isolate: instance handles no messages, which are for all instances");
  }
  function.cron = triggers->texts("cron");
  for (const auto& expression : function.cron) {
    if (const auto schedule = Schedule::parse(expression); !schedule) {
      triggers->refuse("cron", schedule.error().message());
    }
  }
  if (!function.cron.empty() && std::ranges::find(function.protections, "none") == function.protections.end()) {
    triggers->refuse("cron", "such runs have nobody who seals for them: admit them with protection: [none, …]");
  }
  if (const auto good = triggers->finish(); !good) root.refuse("triggers", good.error().message());
}

void read_policy(ConfigMapping& root, FunctionFile& function) {
  function.concurrency = static_cast<std::uint32_t>(root.integer_or("concurrency", 1, 1, 1024));
  function.idempotent = root.boolean_or("idempotent", false);
  function.protections = words(root, "protection", {"eae"}, {"eae", "hse", "none"});
  const auto isolate = root.text_or("isolate", "none");
  if (isolate != "none" && isolate != "instance") {
    root.refuse("isolate", fmt::format("'{}' is neither none nor instance", isolate));
  }
  function.isolate_instance = isolate == "instance";
  function.direct_tls = root.boolean_or("direct_tls", false);
  read_triggers(root, function);
  function.tee_kinds = words(root, "tee", {"software"}, {"software", "sgx", "tdx", "snp"});
  function.assurance = words(root, "assurance", classes_of(function.tee_kinds), {"software", "hardware"});
  function.providers = root.texts("providers");
  if (function.providers.empty()) function.providers = {"*"};
  for (const auto& provider : function.providers) {
    const auto good = provider == "*" ? Status() : check_label(provider, "cluster");
    if (!good) root.refuse("providers", good.error().message());
  }
  function.labels = root.text_map("labels");
  const auto logs = root.text_or("logs", "host");
  if (logs != "host" && logs != "none") root.refuse("logs", fmt::format("'{}' is neither host nor none", logs));
  function.logs = logs == "none" ? wire::LogPolicy::kNone : wire::LogPolicy::kHost;
  function.queue_limit = static_cast<std::uint32_t>(root.integer_or("queue_limit", 1000, 1, 1'000'000));
  function.max_body = size_or(root, "max_body", "1GiB", std::uint64_t{1} << 30U);
}

Result<FunctionSource> read_source(ConfigMapping& entry, const std::filesystem::path& base) {
  FunctionSource file;
  const auto source = entry.text("source");
  file.source = base / source;
  file.path = entry.text_or("path", std::filesystem::path(source).filename().string());
  const auto mode = entry.text_or("mode", "");
  if (!mode.empty() && mode != "0755" && mode != "0644") {
    entry.refuse("mode", fmt::format("'{}' is neither 0755 (executable) nor 0644", mode));
  }
  std::error_code ignored;
  const auto permissions = std::filesystem::status(file.source, ignored).permissions();
  const bool runs = (permissions & std::filesystem::perms::owner_exec) != std::filesystem::perms::none;
  file.executable = mode.empty() ? runs && permissions != std::filesystem::perms::unknown : mode == "0755";
  file.confidential = entry.boolean_or("confidential", false);
  if (file.confidential && mode == "0755") {
    entry.refuse("mode", "what is confidential is data, which cannot be executed; leave 'mode' away");
  }
  if (file.confidential) file.executable = false;
  TCFDL_TRY(entry.finish());
  return file;
}

void check_command(ConfigMapping& root, FunctionFile& function, const FunctionPlace& place) {
  if (function.command.empty()) {
    root.refuse("command", "is missing; name a program of 'files' and its arguments, as [bin/plates, --fast]");
    return;
  }
  auto& program = function.command.front();
  if (program == kExec) {
    program = kExecPath;
    const auto same = [](const FunctionSource& file) { return file.path == kExecPath; };
    if (!std::ranges::any_of(function.files, same)) {
      function.files.push_back({place.programs / kExec, std::string(kExecPath), true});
    }
  }
  const auto found = std::ranges::find(function.files, program, &FunctionSource::path);
  if (found == function.files.end()) {
    root.refuse("command", fmt::format("'{}' is no path of 'files'; add it there, or use tcfdl-exec", program));
  } else if (found->confidential) {
    root.refuse("command", fmt::format("'{}' cannot be confidential: the program is measured", program));
  } else {
    found->executable = true;
  }
}

/// The files, with the error of the first entry that is wrong.
Status read_files(ConfigMapping& root, FunctionFile& function, const FunctionPlace& place) {
  for (auto& entry : root.mappings("files")) {
    TCFDL_ASSIGN(auto file, read_source(entry, place.file.parent_path()));
    function.files.push_back(std::move(file));
  }
  return {};
}

void read_identity(ConfigMapping& root, FunctionFile& function) {
  function.name = root.text("name");
  const auto name = parse_function_name(function.name);
  if (!function.name.empty() && !name) root.refuse("name", name.error().message());
  constexpr auto kMostVersion = std::numeric_limits<std::int64_t>::max();
  function.version = static_cast<std::uint64_t>(root.integer_or("version", 0, 1, kMostVersion));
  function.command = root.texts("command");
  function.environment = root.text_map("env");
  std::ranges::sort(function.environment);
}

Result<FunctionFile> read_root(ConfigMapping& root, const FunctionPlace& place) {
  FunctionFile function;
  read_identity(root, function);
  auto nested = read_files(root, function, place);
  read_scale(root, function, nested);
  read_health(root, function, nested);
  read_policy(root, function);
  if (nested) check_command(root, function, place);
  TCFDL_TRY(nested);
  TCFDL_TRY(root.finish());
  return function;
}

} // namespace

Result<FunctionFile> parse_function_file(const std::string& text, const FunctionPlace& place) {
  const auto where = place.file.string();
  TCFDL_ASSIGN(auto root, ConfigMapping::parse(text, where));
  auto function = read_root(root, place);
  if (!function) return with_line(function.error(), text, where);
  return function;
}

Result<FunctionFile> read_function_file(const FunctionPlace& place) {
  TCFDL_ASSIGN(const auto text, read_text_file(place.file, std::size_t{1} << 20U));
  return parse_function_file(text, place);
}

Result<std::filesystem::path> program_directory() {
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return make_error(Code::kInternal, "cannot tell where this program lies: {}", failure.message());
  return program.parent_path();
}

} // namespace tcfdl::cli
