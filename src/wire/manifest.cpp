#include "wire/manifest.hpp"

#include "wire/confidential.hpp"
#include "wire/strict_json.hpp"

#include <algorithm>
#include <unordered_set>

namespace tcfdl::wire {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 4; // the document, a list, a file, what is confidential of it
constexpr std::size_t kMaxPath = 1024;
constexpr std::size_t kMaxPart = 255;
constexpr std::size_t kMaxParts = 64;
constexpr std::size_t kMaxArguments = 1024;
constexpr std::size_t kMaxText = 32UL * 1024; // of an argument or a value
constexpr std::size_t kMaxVariables = 1024;
constexpr std::size_t kMaxVariableName = 128;

template <class... Args> Error refuse(fmt::format_string<Args...> format, Args&&... args) {
  return Error(Code::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...)).within("manifest");
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// Text that reaches a program: anything but control characters other than tab and newline.
bool is_plain(std::string_view text) {
  return text.size() <= kMaxText &&
         std::ranges::none_of(text, [](char c) { return is_control(c) && c != '\n' && c != '\t'; });
}

Status check_part(std::string_view part) {
  if (part.empty()) return refuse("is absolute, empty, or has an empty part");
  if (part == "." || part == "..") return refuse("has the part '{}'", part);
  if (part.size() > kMaxPart) return refuse("has a part of {} characters; {} are allowed", part.size(), kMaxPart);
  return {};
}

Status check_path(std::string_view path) {
  if (std::ranges::any_of(path, is_control)) return refuse("has control characters");
  if (path.size() > kMaxPath) return refuse("has {} characters; {} are allowed", path.size(), kMaxPath);
  std::size_t parts = 0;
  for (std::size_t start = 0; start <= path.size(); ++parts) {
    const auto end = std::min(path.find('/', start), path.size());
    TCFDL_TRY(check_part(path.substr(start, end - start)));
    start = end + 1;
  }
  if (parts > kMaxParts) return refuse("has {} parts; {} are allowed", parts, kMaxParts);
  return {};
}

bool is_digest(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Status check_confidential(const ManifestFile& file, const Plaintext& plaintext, std::size_t index) {
  if (!is_digest(plaintext.digest)) {
    return refuse("files[{}] ({}): confidential.digest is not 64 lower-case hexadecimal digits", index, file.path);
  }
  if (plaintext.size > kMaxBundleFile || encrypted_size(plaintext.size) != file.size) {
    return refuse("files[{}] ({}): {} confidential bytes do not make a file of {}", index, file.path, plaintext.size,
                  file.size);
  }
  if (!file.executable) return {};
  return refuse("files[{}] ({}): what is confidential is data and cannot be executed; its mode is 0644", index,
                file.path);
}

Status check_file(const ManifestFile& file, std::size_t index) {
  if (const auto path = check_path(file.path); !path) {
    return refuse("files[{}]: the path {}", index,
                  path.error().message().substr(std::string_view("manifest: ").size()));
  }
  if (!is_digest(file.sha256)) {
    return refuse("files[{}] ({}): sha256 is not 64 lower-case hexadecimal digits", index, file.path);
  }
  if (file.size > kMaxBundleFile) {
    return refuse("files[{}] ({}): {} bytes; {} are allowed", index, file.path, file.size, kMaxBundleFile);
  }
  return file.confidential ? check_confidential(file, *file.confidential, index) : Status();
}

/// No path twice, none of a file where another file needs a directory.
Status check_tree(const std::vector<ManifestFile>& files) {
  std::unordered_set<std::string_view> paths;
  for (const auto& file : files) {
    if (!paths.insert(file.path).second) return refuse("the file {} is there twice", file.path);
  }
  for (const std::string_view path : paths) {
    for (auto at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
      if (paths.contains(path.substr(0, at))) return refuse("{} is a file and a directory", path.substr(0, at));
    }
  }
  return {};
}

Status check_files(const std::vector<ManifestFile>& files) {
  if (files.size() > kMaxManifestFiles) return refuse("{} files; {} are allowed", files.size(), kMaxManifestFiles);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    TCFDL_TRY(check_file(files[i], i));
    total += files[i].size; // at most 10,000 times 16 GiB
  }
  if (total > kMaxBundle) return refuse("its files have {} bytes; {} are allowed", total, kMaxBundle);
  return check_tree(files);
}

Status check_command(const std::vector<std::string>& command) {
  if (command.empty() || command.front().empty()) return refuse("'command' names no program");
  if (command.size() > kMaxArguments) return refuse("'command' has more than {} parts", kMaxArguments);
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (!is_plain(command[i])) return refuse("command[{}] is too long or has control characters", i);
  }
  return {};
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxVariableName || (name.front() >= '0' && name.front() <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Status check_environment(const std::vector<std::pair<std::string, std::string>>& environment) {
  if (environment.size() > kMaxVariables) return refuse("'environment' has more than {} variables", kMaxVariables);
  for (std::size_t i = 0; i < environment.size(); ++i) {
    const auto& [name, value] = environment[i];
    if (!is_variable_name(name)) return refuse("environment: variable {} has no name of [A-Za-z_][A-Za-z0-9_]*", i);
    if (name.starts_with("TCFDL_")) return refuse("environment: {}: names with TCFDL_ are set at launch", name);
    if (!is_plain(value)) return refuse("environment: {}: the value is too long or has control characters", name);
    if (i > 0 && environment[i - 1].first >= name) return refuse("environment: {}: not in order, or twice there", name);
  }
  return {};
}

Result<Plaintext> read_plaintext(const json& entry, const std::string& where) {
  if (!entry.is_object()) return refuse("{}confidential is no object", where);
  const auto keys = check_json_keys(entry, {"digest", "size"}, {});
  if (!keys) return refuse("{}confidential: {}", where, keys.error().message());
  if (!entry["digest"].is_string()) return refuse("{}confidential.digest is no text", where);
  if (!entry["size"].is_number_unsigned()) return refuse("{}confidential.size is no whole number of bytes", where);
  return Plaintext{.digest = entry["digest"].get<std::string>(), .size = entry["size"].get<std::uint64_t>()};
}

Result<ManifestFile> read_file_entry(const json& entry, std::size_t index) {
  const auto where = fmt::format("files[{}]: ", index);
  if (!entry.is_object()) return refuse("{}is no object", where);
  const auto keys = check_json_keys(entry, {"path", "sha256", "size", "mode"}, {"confidential"});
  if (!keys) return refuse("{}{}", where, keys.error().message());
  if (!entry["path"].is_string() || !entry["sha256"].is_string()) return refuse("{}path or sha256 is no text", where);
  if (!entry["size"].is_number_unsigned()) return refuse("{}size is no whole number of bytes", where);
  if (entry["mode"] != "0644" && entry["mode"] != "0755")
    return refuse("{}mode is neither \"0644\" nor \"0755\"", where);
  ManifestFile file{.path = entry["path"].get<std::string>(),
                    .sha256 = entry["sha256"].get<std::string>(),
                    .size = entry["size"].get<std::uint64_t>(),
                    .executable = entry["mode"] == "0755"};
  if (!entry.contains("confidential")) return file;
  TCFDL_ASSIGN(file.confidential, read_plaintext(entry["confidential"], where));
  return file;
}

Status read_files(const json& list, std::vector<ManifestFile>& files) {
  if (!list.is_array()) return refuse("'files' is no list");
  if (list.size() > kMaxManifestFiles) return refuse("{} files; {} are allowed", list.size(), kMaxManifestFiles);
  files.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    TCFDL_ASSIGN(auto file, read_file_entry(list[i], i));
    files.push_back(std::move(file));
  }
  return {};
}

Status read_texts(const json& document, Manifest& manifest) {
  if (document["format"] != 1) return refuse("'format' is not 1: a newer program wrote it");
  if (!document["command"].is_array()) return refuse("'command' is no list");
  for (const auto& part : document["command"]) {
    if (!part.is_string()) return refuse("'command' has a part that is no text");
    manifest.command.push_back(part.get<std::string>());
  }
  const auto environment = document.value("environment", json::object());
  if (!environment.is_object()) return refuse("'environment' is no object");
  for (const auto& [name, value] : environment.items()) {
    if (!value.is_string()) return refuse("'environment' has a value that is no text");
    manifest.environment.emplace_back(name, value.get<std::string>());
  }
  const auto logs = document.contains("logs") ? document["logs"] : json("none");
  if (logs != "host" && logs != "none") return refuse("'logs' is neither \"host\" nor \"none\"");
  manifest.logs = logs == "host" ? LogPolicy::kHost : LogPolicy::kNone;
  return {};
}

} // namespace

Result<Manifest> parse_manifest(BytesView text) {
  const auto document = parse_json_object(text, {.size = kMaxManifest, .depth = kMaxDepth});
  if (!document) return document.error().within("manifest");
  const auto keys = check_json_keys(*document, {"format", "command", "files"}, {"environment", "logs"});
  if (!keys) return keys.error().within("manifest");
  Manifest manifest;
  TCFDL_TRY(read_texts(*document, manifest));
  TCFDL_TRY(read_files((*document)["files"], manifest.files));
  TCFDL_TRY(check_manifest(manifest));
  return manifest;
}

Status check_manifest(const Manifest& manifest) {
  TCFDL_TRY(check_command(manifest.command));
  TCFDL_TRY(check_environment(manifest.environment));
  for (const auto& path : confidential_paths(manifest)) {
    if (path == manifest.command.front()) return refuse("the program {} cannot be confidential: it is measured", path);
  }
  return check_files(manifest.files);
}

std::vector<std::string> confidential_paths(const Manifest& manifest) {
  std::vector<std::string> paths;
  for (const auto& file : manifest.files) {
    if (file.confidential) paths.push_back(file.path);
  }
  return paths;
}

Bytes write_manifest(const Manifest& manifest) {
  json document = {{"format", 1},
                   {"command", manifest.command},
                   {"environment", json::object()},
                   {"files", json::array()},
                   {"logs", manifest.logs == LogPolicy::kHost ? "host" : "none"}};
  for (const auto& [name, value] : manifest.environment) document["environment"][name] = value;
  for (const auto& file : manifest.files) {
    auto& entry = document["files"].emplace_back(json{{"path", file.path},
                                                      {"sha256", file.sha256},
                                                      {"size", file.size},
                                                      {"mode", file.executable ? "0755" : "0644"}});
    if (!file.confidential) continue;
    entry["confidential"] = {{"digest", file.confidential->digest}, {"size", file.confidential->size}};
  }
  return to_bytes(document.dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace tcfdl::wire
