// ELF files: names of libraries come out of the file, whatever its tables say.
#include "tee/elf.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto needs = tcfdl::tee::read_elf_needs({data, size});
  if (!needs) return 0;
  for (const auto& name : needs->libraries) {
    if (name.empty() || name.size() > size) std::abort();
  }
  return 0;
}
