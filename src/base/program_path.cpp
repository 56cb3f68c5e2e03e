#include "base/program_path.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstdlib>

namespace tcfdl {

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return errno_error("cannot run", name);
  }
  const char* path = std::getenv("PATH");
  const auto places = fmt::format("{}:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin", path == nullptr ? "" : path);
  for (std::string_view rest = places; !rest.empty();) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
    auto candidate = fmt::format("{}/{}", directory, name);
    if (!directory.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return make_error(Code::kNotFound, "`{}` is not installed, or not in PATH", name);
}

} // namespace tcfdl
