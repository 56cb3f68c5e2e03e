#include "base/log_file.hpp"

#include "base/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace tcfdl {

Status bound_log_file(const std::filesystem::path& file, std::uintmax_t most) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(file, failure);
  if (failure || size <= most) return {};
  auto kept = file;
  kept += ".1";
  std::filesystem::remove(kept, failure); // a link in its place is not followed
  std::filesystem::copy_file(file, kept, failure);
  // What cannot be kept, as on a full disk, is not a reason to let the file grow.
  if (::truncate(file.c_str(), 0) != 0) return errno_error("cannot empty", file);
  if (failure) return make_error(Code::kInternal, "cannot keep {}: {}", kept.string(), failure.message());
  return {};
}

} // namespace tcfdl
