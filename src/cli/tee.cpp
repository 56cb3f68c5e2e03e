#include "base/file.hpp"
#include "base/units.hpp"
#include "cli/command.hpp"
#include "cli/doctor.hpp"
#include "tee/gramine_manifest.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

constexpr int kMissing = 1;
constexpr std::array<const char*, 4> kKinds = {"software", "sgx", "tdx", "snp"};

Json to_json(const std::vector<Piece>& pieces) {
  Json document;
  for (const auto* kind : kKinds) {
    Json list = Json::array();
    for (const auto& piece : pieces) {
      if (piece.tee != kind) continue;
      list.push_back({{"name", piece.name},
                      {"needed", piece.needed},
                      {"present", piece.present},
                      {"detail", piece.detail},
                      {"remedy", piece.present ? "" : piece.remedy}});
    }
    document[kind] = {{"ready", can_run(pieces, kind)}, {"pieces", std::move(list)}};
  }
  return document;
}

std::string to_text(const std::vector<Piece>& pieces) {
  std::string text;
  for (const auto* kind : kKinds) {
    text += fmt::format("{}: {}\n", kind, can_run(pieces, kind) ? "ready" : "not ready");
    for (const auto& piece : pieces) {
      if (piece.tee != kind) continue;
      const auto* const state = piece.present ? "present" : piece.needed ? "MISSING" : "absent ";
      text += fmt::format("  {}  {}: {}\n", state, piece.name, piece.detail);
      if (!piece.present) text += fmt::format("           {}\n", piece.remedy);
    }
  }
  return text;
}

struct ManifestOptions {
  tee::GramineSettings settings;
  std::vector<std::string> environment;
  std::filesystem::path out;
};

Status write_manifest(ManifestOptions options) {
  for (const auto& pair : options.environment) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) return make_error(Code::kInvalidArgument, "'{}' is not NAME=VALUE", pair);
    if (!options.settings.environment.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return make_error(Code::kInvalidArgument, "the variable {} has two values; give it once", pair.substr(0, equals));
    }
  }
  TCFDL_ASSIGN(const auto text, tee::make_gramine_manifest(options.settings));
  if (!options.out.empty()) return write_file(options.out, as_bytes(text));
  print(text);
  return {};
}

void add_memory(CLI::App& command, std::uint64_t& bytes) {
  const auto read = [&bytes](const CLI::results_t& texts) {
    const auto parsed = parse_size(texts.front());
    if (!parsed) throw CLI::ValidationError(parsed.error().message());
    bytes = *parsed;
    return true;
  };
  command.add_option("--enclave-memory", read, "of the whole enclave, a power of two; default 512MiB")
      ->type_name("SIZE");
}

void add_manifest(CLI::App& group, Session& session) {
  auto* command = group.add_subcommand("manifest", "a Gramine manifest template, to run a program in an SGX enclave");
  auto options = std::make_shared<ManifestOptions>();
  auto& settings = options->settings;
  command->add_option("program", settings.program, "tcfdl-proxy, tcfdl-gateway or a program of the SDK")->required();
  command->add_option("arguments", settings.arguments, "of the program, after --");
  add_memory(*command, settings.enclave_memory);
  command->add_option("--threads", settings.threads, "the most at once; default 64")->type_name("N");
  command->add_option("--svn", settings.security_version, "security version of the enclave; default 0")->type_name("N");
  command->add_option("--state", settings.state, "the host's directory for sealed state; default /var/lib/tcfdl");
  command->add_option("--env", options->environment, "a variable, measured with the manifest")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_option("--pass-env", settings.passed_environment, "a variable whose value the host chooses")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_option("--out", options->out, "default: standard output")->type_name("FILE");
  command->callback(session.run([options] { return write_manifest(*options); }));
}

} // namespace

void add_tee_commands(CLI::App& app, Session& session) {
  auto* group = app.add_subcommand("tee", "trusted execution environments")->require_subcommand(1);
  add_manifest(*group, session);
  app.add_subcommand("doctor", "what this machine has and lacks for each kind of TEE")->callback([&session] {
    session.action = [&session]() -> Result<int> {
      const auto pieces = examine(Machine::local());
      if (session.json) {
        print_json(to_json(pieces));
      } else {
        print(to_text(pieces));
      }
      return can_run(pieces, "software") ? 0 : kMissing;
    };
  });
}

} // namespace tcfdl::cli
