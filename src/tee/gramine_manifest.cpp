#include "tee/gramine_manifest.hpp"

#include "base/encoding.hpp"
#include "tee/bundle.hpp"
#include "tee/elf.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

namespace tcfdl::tee {
namespace {

constexpr std::uint64_t kLeastMemory = std::uint64_t{64} << 20U;
constexpr std::uint64_t kMostMemory = std::uint64_t{1} << 40U;
constexpr std::string_view kState = "/state";

/// What Gramine brings itself: its own build of glibc.
constexpr std::array<std::string_view, 12> kRuntime = {
    "ld-linux-x86-64.so.2", "libanl.so.1",     "libc.so.6",      "libdl.so.2", "libm.so.6",    "libmvec.so.1",
    "libnss_dns.so.2",      "libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1", "libnss_files.so.2"};

/// The length of the UTF-8 sequence that `text` begins with; 0 for none (RFC 3629 section 4).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return byte(i) >= 0x80U && byte(i) <= 0xBFU; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first <= 0xDFU) return tail(1) ? 2 : 0;
  if (first >= 0xE0U && first <= 0xEFU) {
    const bool shortest = first != 0xE0U || byte(1) >= 0xA0U;
    const bool no_surrogate = first != 0xEDU || byte(1) <= 0x9FU;
    return tail(1) && tail(2) && shortest && no_surrogate ? 3 : 0;
  }
  if (first < 0xF0U || first > 0xF4U) return 0;
  const bool in_range = (first != 0xF0U || byte(1) >= 0x90U) && (first != 0xF4U || byte(1) <= 0x8FU);
  return tail(1) && tail(2) && tail(3) && in_range ? 4 : 0;
}

bool is_variable_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  const auto good = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::ranges::all_of(name, good);
}

Status check(const GramineSettings& settings) {
  if (!std::has_single_bit(settings.enclave_memory) || settings.enclave_memory < kLeastMemory ||
      settings.enclave_memory > kMostMemory) {
    return make_error(Code::kInvalidArgument,
                      "an enclave cannot have {} bytes; give a power of two from 64MiB to 1TiB, as 512MiB",
                      settings.enclave_memory);
  }
  if (settings.threads < 4 || settings.threads > 4096) {
    return make_error(Code::kInvalidArgument, "{} threads are not from 4 to 4096", settings.threads);
  }
  std::set<std::string> names{"LD_LIBRARY_PATH"};
  auto all = settings.passed_environment;
  for (const auto& [name, value] : settings.environment) all.push_back(name);
  for (const auto& name : all) {
    if (!is_variable_name(name)) return make_error(Code::kInvalidArgument, "'{}' is no name of a variable", name);
    if (!names.insert(name).second) {
      return make_error(Code::kInvalidArgument, "the variable {} has two values; give it once", name);
    }
  }
  return {};
}

/// Collects lines; texts are escaped when they are given.
class Toml {
public:
  void line(std::string_view text) { text_ += fmt::format("{}\n", text); }
  Status set(std::string_view key, std::string_view value) {
    TCFDL_ASSIGN(const auto quoted, toml_string(value));
    line(fmt::format("{} = {}", key, quoted));
    return {};
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

private:
  std::string text_;
};

struct Files {
  std::filesystem::path program;
  std::vector<std::filesystem::path> libraries; ///< without Gramine's own
};

Result<Files> find_files(const std::filesystem::path& program) {
  std::error_code failure;
  Files files{.program = std::filesystem::canonical(program, failure), .libraries = {}};
  if (failure) return make_error(Code::kNotFound, "there is no program {}: {}", program.string(), failure.message());
  TCFDL_ASSIGN(const auto libraries, find_libraries(files.program, default_library_directories()));
  for (const auto& library : libraries) {
    if (std::ranges::find(kRuntime, library.filename().string()) == kRuntime.end()) files.libraries.push_back(library);
  }
  return files;
}

Status write_program(const GramineSettings& settings, const Files& files, Toml& toml) {
  TCFDL_TRY(toml.set("libos.entrypoint", files.program.string()));
  toml.line("loader.log_level = \"error\"");
  TCFDL_ASSIGN(auto arguments, toml_string(files.program.filename().string()));
  for (const auto& argument : settings.arguments) {
    TCFDL_ASSIGN(const auto quoted, toml_string(argument));
    arguments += ", " + quoted;
  }
  toml.line(fmt::format("loader.argv = [{}]", arguments));
  std::string search = "/lib";
  std::set<std::string> seen;
  for (const auto& library : files.libraries) {
    const auto directory = library.parent_path().string();
    if (seen.insert(directory).second) search += ":" + directory;
  }
  TCFDL_TRY(toml.set("loader.env.LD_LIBRARY_PATH", search));
  for (const auto& [name, value] : settings.environment) TCFDL_TRY(toml.set("loader.env." + name, value));
  for (const auto& name : settings.passed_environment) {
    toml.line(fmt::format("loader.env.{} = {{ passthrough = true }}", name));
  }
  return {};
}

Status write_mounts(const GramineSettings& settings, const Files& files, Toml& toml) {
  toml.line("fs.mounts = [");
  toml.line("  { path = \"/lib\", uri = \"file:{{ gramine.runtimedir() }}\" },");
  auto mounted = files.libraries;
  mounted.insert(mounted.begin(), files.program);
  for (const auto& file : mounted) {
    TCFDL_ASSIGN(const auto path, toml_string(file.string()));
    TCFDL_ASSIGN(const auto uri, toml_string("file:" + file.string()));
    toml.line(fmt::format("  {{ path = {}, uri = {} }},", path, uri));
  }
  toml.line("  { type = \"tmpfs\", path = \"/tmp\" },");
  TCFDL_ASSIGN(const auto state, toml_string("file:" + settings.state.string()));
  toml.line(fmt::format("  {{ type = \"encrypted\", path = \"{}\", uri = {}, key_name = \"_sgx_mrenclave\" }},", kState,
                        state));
  toml.line("]");
  return {};
}

Status write_trusted_files(const Files& files, Toml& toml) {
  toml.line("sgx.trusted_files = [");
  toml.line("  \"file:{{ gramine.libos }}\",");
  toml.line("  \"file:{{ gramine.runtimedir() }}/\",");
  auto trusted = files.libraries;
  trusted.insert(trusted.begin(), files.program);
  for (const auto& file : trusted) {
    // A library's name is often a symbolic link, which measure_file does not follow.
    std::error_code failure;
    const auto real = std::filesystem::canonical(file, failure);
    if (failure) return make_error(Code::kNotFound, "cannot find {}: {}", file.string(), failure.message());
    TCFDL_ASSIGN(const auto hash, measure_file(real));
    TCFDL_ASSIGN(const auto uri, toml_string("file:" + file.string()));
    toml.line(fmt::format("  {{ uri = {}, sha256 = \"{}\" }},", uri, to_hex(hash)));
  }
  toml.line("]");
  return {};
}

} // namespace

Result<std::string> toml_string(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const auto length = utf8_length(text.substr(at));
    if (length == 0) return make_error(Code::kInvalidArgument, "'{}…' is no UTF-8", text.substr(0, at));
    const auto piece = text.substr(at, length);
    const auto first = static_cast<unsigned char>(piece.front());
    if (first == '"' || first == '\\') {
      quoted += fmt::format("\\{}", piece);
    } else if (first < 0x20 || first == 0x7F || first == '{') {
      quoted += fmt::format("\\u{:04X}", first);
    } else {
      quoted += piece;
    }
    at += length;
  }
  return quoted + "\"";
}

Result<std::string> make_gramine_manifest(const GramineSettings& settings) {
  TCFDL_TRY(check(settings));
  TCFDL_ASSIGN(const auto files, find_files(settings.program));
  Toml toml;
  toml.line("# For gramine-manifest and gramine-sgx-sign; state is mounted at /state.");
  TCFDL_TRY(write_program(settings, files, toml));
  TCFDL_TRY(write_mounts(settings, files, toml));
  toml.line("sgx.debug = false");
  toml.line("sgx.remote_attestation = \"dcap\"");
  toml.line(fmt::format("sgx.enclave_size = \"{}M\"", settings.enclave_memory >> 20U));
  toml.line(fmt::format("sgx.max_threads = {}", settings.threads));
  toml.line(fmt::format("sgx.isvsvn = {}", settings.security_version));
  TCFDL_TRY(write_trusted_files(files, toml));
  return toml.take();
}

} // namespace tcfdl::tee
