#include "instance_manager/instance_logs.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/log_file.hpp"

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

fs::path before(fs::path file) { return file += ".1"; }

std::uint64_t size_of(const fs::path& file) {
  std::error_code missing;
  const auto size = fs::file_size(file, missing);
  return missing ? 0 : size;
}

/// When the file was moved aside last, which names what is in it now; 0: never.
std::uint64_t rotation_of(const fs::path& file) {
  std::error_code never;
  const auto time = fs::last_write_time(before(file), never);
  return never ? 0 : static_cast<std::uint64_t>(time.time_since_epoch().count());
}

std::string read_from(const fs::path& path, std::uint64_t offset, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  std::string text(most, '\0');
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

std::string read_end(const fs::path& path, std::uint64_t size, std::size_t most) {
  const auto length = std::min<std::uint64_t>(size, most);
  return read_from(path, size - length, static_cast<std::size_t>(length));
}

wire::InstanceLog end_of(const fs::path& file, std::size_t most) {
  const auto size = size_of(file);
  auto text = read_end(file, size, most);
  if (text.size() == size) text.insert(0, read_end(before(file), size_of(before(file)), most - text.size()));
  wire::InstanceLog log;
  log.set_instance(file.stem().string());
  log.mutable_end()->set_rotation(rotation_of(file));
  log.mutable_end()->set_offset(size);
  log.set_text(std::move(text));
  return log;
}

wire::InstanceLog rest_of(const fs::path& file, const wire::LogPosition& after, std::size_t most) {
  wire::InstanceLog log;
  log.set_instance(file.stem().string());
  auto end = after;
  std::string text;
  if (const auto rotation = rotation_of(file); rotation != after.rotation()) {
    text = read_from(before(file), after.offset(), most);
    end.set_offset(after.offset() + text.size());
    if (text.size() < most) {
      end.set_rotation(rotation);
      end.set_offset(0);
    }
  } else if (size_of(file) < after.offset()) {
    end.set_offset(0); // it was emptied by others
  }
  const auto now = read_from(file, end.offset(), most - text.size());
  end.set_offset(end.offset() + now.size());
  *log.mutable_end() = end;
  log.set_text(text + now);
  return log;
}

bool is_same(const wire::LogPosition& one, const wire::LogPosition& other) {
  return one.rotation() == other.rotation() && one.offset() == other.offset();
}

} // namespace

Result<fs::path> InstanceLogs::prepare(const FunctionName& function, const InstanceId& instance) const {
  const auto directory = directory_ / function.str();
  TCFDL_TRY(make_private_directory(directory));
  auto wanted = directory / (instance.str() + ".log");
  const auto files = log_files(directory);
  std::error_code ignored;
  for (std::size_t i = kKept - 1; i < files.size(); ++i) {
    if (files[i] == wanted) continue;
    fs::remove(files[i], ignored);
    fs::remove(before(files[i]), ignored);
  }
  return wanted;
}

wire::Logs InstanceLogs::read(const FunctionName& function, std::size_t max_bytes) const {
  const std::scoped_lock lock(mutex_);
  wire::Logs logs;
  auto left = std::min(max_bytes, kMostAtOnce);
  for (const auto& file : log_files(directory_ / function.str())) {
    auto& log = *logs.add_logs();
    log = end_of(file, left);
    left -= log.text().size();
  }
  return logs;
}

wire::Logs InstanceLogs::read_on(const FunctionName& function, const wire::LogPositions& after,
                                 std::size_t max_bytes) const {
  const std::scoped_lock lock(mutex_);
  wire::Logs logs;
  const auto files = log_files(directory_ / function.str());
  const auto each = std::min(max_bytes, kMostAtOnce) / std::max<std::size_t>(files.size(), 1) + 1;
  for (const auto& file : files) {
    const auto known = after.positions().find(file.stem().string());
    const auto position = known == after.positions().end() ? wire::LogPosition() : known->second;
    auto log = rest_of(file, position, each);
    if (!is_same(log.end(), position)) *logs.add_logs() = std::move(log);
  }
  return logs;
}

void InstanceLogs::bound() const {
  std::error_code failure;
  for (fs::recursive_directory_iterator at(directory_, failure), end; !failure && at != end; at.increment(failure)) {
    if (at->path().extension() != ".log") continue;
    const std::scoped_lock lock(mutex_);
    const auto bounded = bound_log_file(at->path(), largest_);
    if (!bounded) spdlog::warn("{}", bounded.error().to_string());
  }
}

} // namespace tcfdl::instance_manager
