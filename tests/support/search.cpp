#include "support/search.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace tcfdl::test {

bool memory_has(pid_t pid, const std::string& needle) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  const UniqueFd memory(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  std::string line;
  std::string buffer;
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char readable = '-';
    if (std::sscanf(line.c_str(), "%lx-%lx %c", &begin, &end, &readable) != 3 || readable != 'r') continue;
    if (line.ends_with("[vvar]") || end - begin > (1UL << 32U)) continue;
    constexpr unsigned long kStep = 16UL << 20U;
    for (auto at = begin; at < end; at += kStep) {
      buffer.resize(std::min(end - at, kStep + needle.size()));
      const auto got = ::pread(memory.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
      if (got <= 0) break;
      if (::memmem(buffer.data(), static_cast<std::size_t>(got), needle.data(), needle.size()) != nullptr) return true;
    }
  }
  return false;
}

std::vector<std::string> files_with(const std::filesystem::path& root, const std::string& needle) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    const auto content = read_text_file(entry.path(), std::size_t{1} << 30U).value_or("");
    if (content.find(needle) != std::string::npos) found.push_back(entry.path().string());
  }
  return found;
}

} // namespace tcfdl::test
