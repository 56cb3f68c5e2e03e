#include "tee/layers.hpp"

#include <sstream>

namespace tcfdl::tee {

std::set<std::string> default_layers() {
  return {std::string(kNamespaces), std::string(kSeccomp), std::string(kLandlock), std::string(kMemory)};
}

Result<std::set<std::string>> parse_layers(std::string_view text) {
  auto known = default_layers();
  for (const auto layer : {kMemoryGroup, kProcesses, kProcessor}) known.emplace(layer);
  std::set<std::string> layers;
  std::istringstream items{std::string(text)};
  for (std::string item; std::getline(items, item, ',');) {
    if (!known.contains(item)) {
      return make_error(Code::kInvalidArgument,
                        "'{}' is no layer of the software TEE; there are namespaces, seccomp, landlock, memory, "
                        "cgroup, processes and processor",
                        item);
    }
    layers.insert(item);
  }
  return layers;
}

} // namespace tcfdl::tee
