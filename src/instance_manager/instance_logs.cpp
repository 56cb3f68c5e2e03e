#include "instance_manager/instance_logs.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <fstream>

namespace tcfdl::instance_manager {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostAtOnce = std::size_t{900} * 1024; // fits a frame

/// Newest first.
std::vector<fs::path> log_files(const fs::path& directory) {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code failure;
  for (fs::directory_iterator at(directory, failure), end; !failure && at != end; at.increment(failure)) {
    std::error_code vanished;
    if (at->path().extension() != ".log" || !at->is_regular_file(vanished)) continue;
    found.emplace_back(at->last_write_time(vanished), at->path());
  }
  std::ranges::sort(found, std::greater());
  std::vector<fs::path> files;
  files.reserve(found.size());
  for (auto& each : found) files.push_back(std::move(each.second));
  return files;
}

std::string read_end(const fs::path& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  std::string text(std::min(size, most), '\0');
  file.seekg(static_cast<std::streamoff>(size - text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

} // namespace

Result<fs::path> InstanceLogs::prepare(const FunctionName& function, const InstanceId& instance) const {
  const auto directory = directory_ / function.str();
  TCFDL_TRY(make_private_directory(directory));
  auto wanted = directory / (instance.str() + ".log");
  const auto files = log_files(directory);
  std::error_code ignored;
  for (std::size_t i = kKept - 1; i < files.size(); ++i) {
    if (files[i] != wanted) fs::remove(files[i], ignored);
  }
  return wanted;
}

wire::Logs InstanceLogs::read(const FunctionName& function, std::size_t max_bytes) const {
  wire::Logs logs;
  auto left = std::min(max_bytes, kMostAtOnce);
  for (const auto& path : log_files(directory_ / function.str())) {
    auto text = read_end(path, left);
    left -= text.size();
    auto& log = *logs.add_logs();
    log.set_instance(path.stem().string());
    log.set_text(std::move(text));
  }
  return logs;
}

} // namespace tcfdl::instance_manager
