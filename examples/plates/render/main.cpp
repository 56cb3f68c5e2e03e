// plates-render: draws test plates into a directory, and expected.json that says what is on them.
#include "scene.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace {

struct Arguments {
  std::filesystem::path directory;
  std::filesystem::path fonts = "/usr/share/fonts/truetype";
  std::size_t count = 12;
  std::uint64_t seed = 1;
};

tcfdl::Status write(const std::filesystem::path& file, std::string_view content) {
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) return {};
  return tcfdl::Error(tcfdl::Code::kInternal, "cannot write " + file.string());
}

tcfdl::Status render(const Arguments& arguments) {
  std::error_code error;
  std::filesystem::create_directories(arguments.directory, error);
  TCFDL_ASSIGN(const auto fonts, plates::load_fonts(arguments.fonts));
  TCFDL_ASSIGN(const auto scenes, plates::render_scenes(fonts, arguments.count, arguments.seed));
  auto expected = nlohmann::json::object();
  for (const auto& scene : scenes) {
    TCFDL_TRY(write(arguments.directory / scene.name, tcfdl::as_text(scene.encoded)));
    expected[scene.name] = scene.text;
  }
  return write(arguments.directory / "expected.json", expected.dump(2) + "\n");
}

} // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Renders number plates as PNG and JPEG files, with expected.json.", "plates-render");
  app.add_option("directory", arguments.directory, "where the files go")->required();
  app.add_option("--count", arguments.count, "how many plates")->check(CLI::Range(1, 10'000))->capture_default_str();
  app.add_option("--seed", arguments.seed, "another seed, other plates")->capture_default_str();
  app.add_option("--fonts", arguments.fonts, "directory of the dejavu and liberation fonts")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (const auto status = render(arguments); !status) {
    fmt::print(stderr, "plates-render: {}\n", status.error().to_string());
    return 1;
  }
  return 0;
}
