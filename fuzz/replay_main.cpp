// Runs a fuzz target over files without a fuzzer: nothing, each file, and beginnings of each file.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kBeginnings = 64;

void run(const std::string& input, std::size_t size) {
  // A buffer of just this size lets the address sanitizer see a read past the end.
  const std::vector<std::uint8_t> bytes(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size));
  (void)LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

/// False if the file cannot be read.
bool replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto step = std::max<std::size_t>(1, input.size() / kBeginnings);
  for (std::size_t size = 0; size < input.size(); size += step) run(input, size);
  run(input, input.size());
  return true;
}

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> folders(argv + 1, argv + argc);
  std::size_t count = 0;
  for (const auto& folder : folders) {
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
      if (!replay(entry.path())) {
        (void)std::fprintf(stderr, "cannot read the seed %s\n", entry.path().c_str());
        return 1;
      }
      ++count;
    }
  }
  if (count == 0) {
    (void)std::fputs("no seeds: name folders that hold some\n", stderr);
    return 1;
  }
  std::printf("%zu seeds\n", count);
  return 0;
}
