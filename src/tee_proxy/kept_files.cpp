#include "tee_proxy/kept_files.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

namespace tcfdl::tee_proxy {

Status take_kept_files(const std::filesystem::path& directory, std::string_view complaint,
                       const std::function<Status(const std::filesystem::path&)>& take) {
  TCFDL_TRY(make_private_directory(directory));
  std::error_code failure;
  std::filesystem::directory_iterator entries(directory, failure);
  for (; !failure && entries != std::filesystem::directory_iterator(); entries.increment(failure)) {
    const auto& file = entries->path();
    const auto taken = take(file);
    if (taken) continue;
    spdlog::warn("{} {} and is removed: {}", file.string(), complaint, taken.error().message());
    remove_kept_file(file);
  }
  if (!failure) return {};
  return make_error(Code::kInternal, "cannot read {}: {}", directory.string(), failure.message());
}

void remove_kept_file(const std::filesystem::path& file) {
  std::error_code failure;
  std::filesystem::remove(file, failure);
  if (failure) spdlog::warn("cannot remove {}: {}", file.string(), failure.message());
}

} // namespace tcfdl::tee_proxy
