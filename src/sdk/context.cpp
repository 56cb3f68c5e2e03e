#include "sdk/context.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace tcfdl::sdk {
namespace {

using Field = std::pair<const char*, std::string Context::*>;

constexpr std::array<Field, 13> kFields{{
    {"name", &Context::name},
    {"cluster", &Context::cluster},
    {"api_url", &Context::api_url},
    {"api_token", &Context::api_token},
    {"gateway_url", &Context::gateway_url},
    {"gateway_token", &Context::gateway_token},
    {"tasks_address", &Context::tasks_address},
    {"tasks_token", &Context::tasks_token},
    {"client", &Context::client},
    {"signing_key", &Context::signing_key},
    {"seal_key", &Context::seal_key},
    {"certificate", &Context::certificate},
    {"authority_key", &Context::authority_key},
}};

/// Those that a context may lack.
constexpr std::array<Field, 3> kOptionalFields{{
    {"tls_root", &Context::tls_root},
    {"tls_server_name", &Context::tls_server_name},
    {"tls_certificate", &Context::tls_certificate},
}};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::filesystem::path current_file() { return context_directory() / "current"; }

constexpr std::size_t kLongestContext = std::size_t{1} << 20U;

Result<Context> parse_context(std::string_view text, const std::filesystem::path& path) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return make_error(Code::kInvalidArgument, "{} is no JSON object", path.string());
  Context context;
  for (const auto& [key, member] : kFields) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) {
      return make_error(Code::kInvalidArgument, "{}: '{}' is missing", path.string(), key);
    }
    context.*member = found->get<std::string>();
  }
  for (const auto& [key, member] : kOptionalFields) {
    const auto found = json.find(key);
    if (found != json.end() && found->is_string()) context.*member = found->get<std::string>();
  }
  return context;
}

/// The name or path that is meant; empty when there is no current context.
std::string chosen_context(const std::string& name) {
  auto chosen = name.empty() ? environment("TCFDL_CONTEXT") : name;
  return chosen.empty() ? current_context() : chosen;
}

std::filesystem::path file_of(const std::string& chosen) {
  return chosen.find('/') == std::string::npos ? context_directory() / (chosen + ".json")
                                               : std::filesystem::path(chosen);
}

Error no_context(const std::string& name) {
  if (name.empty()) {
    return {Code::kNotFound, "there is no current context; `tcfdl up` writes one, `tcfdl context use` chooses one"};
  }
  return make_error(Code::kNotFound, "there is no context '{}'; `tcfdl context list` shows those that are", name);
}

} // namespace

std::filesystem::path context_directory() {
  if (const auto given = environment("TCFDL_CONTEXT_DIR"); !given.empty()) return given;
  const auto base = environment("XDG_CONFIG_HOME");
  const auto root = base.empty() ? std::filesystem::path(environment("HOME")) / ".config" : std::filesystem::path(base);
  return root / "tcfdl" / "contexts";
}

std::filesystem::path names_file(const Context& context) { return context_directory() / (context.name + ".names"); }

Result<Context> load_context(const std::string& name) {
  const auto chosen = chosen_context(name);
  if (chosen.empty()) return no_context(chosen);
  const auto path = file_of(chosen);
  const auto text = read_private_file(path, kLongestContext);
  if (!text && text.error().code() == Code::kNotFound) return no_context(chosen);
  if (!text) return text.error();
  return parse_context(as_text(*text), path);
}

Status update_context(const std::string& name, const Context& known, const std::function<void(Context&)>& change) {
  TCFDL_ASSIGN(auto context, load_context(name));
  if (context.client != known.client || context.signing_key != known.signing_key) return {};
  change(context);
  return write_context(context, file_of(chosen_context(name)));
}

Status update_certificate(const std::string& name, const Context& known, BytesView certificate) {
  return update_context(name, known, [&](Context& context) { context.certificate = to_base64url(certificate); });
}

Status write_context(const Context& context, const std::filesystem::path& file) {
  nlohmann::ordered_json json;
  for (const auto& [key, member] : kFields) json[key] = context.*member;
  for (const auto& [key, member] : kOptionalFields) {
    if (!(context.*member).empty()) json[key] = context.*member;
  }
  return write_file(file, as_bytes(json.dump(2) + "\n"), kPrivateFile);
}

Status save_context(const Context& context, bool make_current) {
  TCFDL_TRY(check_label(context.name, "context"));
  TCFDL_TRY(make_private_directory(context_directory()));
  TCFDL_TRY(write_context(context, context_directory() / (context.name + ".json")));
  if (make_current || current_context().empty()) return set_current_context(context.name);
  return {};
}

Status remove_context(const std::string& name) {
  TCFDL_TRY(check_label(name, "context"));
  std::error_code ignored;
  if (current_context() == name) std::filesystem::remove(current_file(), ignored);
  std::filesystem::remove(context_directory() / (name + ".names"), ignored);
  if (!std::filesystem::remove(context_directory() / (name + ".json"), ignored)) return no_context(name);
  return {};
}

std::vector<std::string> list_contexts() {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(context_directory(), none)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string current_context() {
  auto name = read_text_file(current_file()).value_or("");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

Status set_current_context(const std::string& name) {
  if (!std::filesystem::exists(context_directory() / (name + ".json"))) return no_context(name);
  return write_file(current_file(), as_bytes(name + "\n"), kPrivateFile);
}

} // namespace tcfdl::sdk
