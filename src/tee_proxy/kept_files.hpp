// What a proxy keeps on its disk, a file each, in a directory of its own.
#pragma once

#include "base/result.hpp"

#include <filesystem>
#include <functional>

namespace tcfdl::tee_proxy {

/// Makes the directory if it is missing, and gives each of its files to `take`. A file that it refuses is removed, with
/// a warning that `complaint` begins ("is no slot"): its content can be made or asked for anew.
Status take_kept_files(const std::filesystem::path& directory, std::string_view complaint,
                       const std::function<Status(const std::filesystem::path&)>& take);

/// A warning where that fails.
void remove_kept_file(const std::filesystem::path& file);

} // namespace tcfdl::tee_proxy
