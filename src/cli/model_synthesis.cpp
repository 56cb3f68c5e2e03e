#include "base/file.hpp"
#include "cli/models.hpp"
#include "inference/synthesis.hpp"

#include <CLI/CLI.hpp>

namespace tcfdl::cli {
namespace {

Status synthesise(const Session& session, const inference::MobileNetSettings& settings, const std::string& out) {
  TCFDL_ASSIGN(const auto model, inference::make_mobilenet(settings));
  const auto file = std::filesystem::absolute(out.empty() ? "mobilenet.onnx" : out);
  TCFDL_TRY(write_file(file, model));
  if (session.json) {
    print_json({{"file", file.string()}, {"size", model.size()}});
  } else {
    print(fmt::format("wrote {} ({})\n", file.string(), bytes_text(model.size())));
  }
  return {};
}

} // namespace

void add_model_synthesis_command(CLI::App& group, Session& session) {
  auto* synth = group.add_subcommand("synth", "make up a model, for tests and benchmarks")->require_subcommand(1);
  auto* command = synth->add_subcommand("mobilenet", "MobileNet v1 with its blocks repeated, random weights");
  auto settings = std::make_shared<inference::MobileNetSettings>();
  auto out = std::make_shared<std::string>();
  const CLI::Range scales(1U, inference::kMostMobileNetScale);
  auto* scale =
      command->add_option("--scale", settings->scale, "the blocks of the middle and the end, so many times; default 1")
          ->check(scales);
  command->add_option("--scale-parameters", settings->scale_parameters, "about so many times the parameters")
      ->check(scales)
      ->excludes(scale);
  command->add_option("--seed", settings->seed, "of the weights; default 1");
  command->add_option("--out", *out, "default: mobilenet.onnx")->type_name("FILE");
  command->callback(session.run([&session, settings, out] { return synthesise(session, *settings, *out); }));
}

} // namespace tcfdl::cli
