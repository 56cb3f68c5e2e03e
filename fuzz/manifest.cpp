// Manifests of bundles: whatever parses is safe to unpack and round-trips.
#include "wire/manifest.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto manifest = tcfdl::wire::parse_manifest({data, size});
  if (!manifest) return 0;
  for (const auto& file : manifest->files) {
    if (file.path.starts_with('/') || ("/" + file.path + "/").find("/../") != std::string::npos) std::abort();
  }
  const auto text = tcfdl::wire::write_manifest(*manifest);
  if (text.size() > tcfdl::wire::kMaxManifest) return 0;
  const auto again = tcfdl::wire::parse_manifest(text);
  if (!again || *again != *manifest) std::abort();
  return 0;
}
