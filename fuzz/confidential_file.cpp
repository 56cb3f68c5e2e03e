// Encrypted files from a host's disk: whatever they hold, opening them writes no more than the manifest says.
#include "base/file.hpp"
#include "wire/confidential.hpp"

#include <cstdlib>
#include <sys/mman.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const UniqueFd from(::memfd_create("sealed", MFD_CLOEXEC));
  const UniqueFd to(::memfd_create("opened", MFD_CLOEXEC));
  if (!write_all(from.get(), {data, size}) || ::lseek(from.get(), 0, SEEK_SET) != 0) std::abort();
  // The first byte says how large the manifest has it, so that files of every form meet every expectation.
  const std::uint64_t wanted = size == 0 ? 0 : std::uint64_t{data[0]} * 1024;
  const auto opened = wire::decrypt_file({}, {"f", "m"}, {.digest = {}, .size = wanted}, from.get(), to.get());
  const auto written = ::lseek(to.get(), 0, SEEK_END);
  if (opened || written < 0 || static_cast<std::uint64_t>(written) > wanted) std::abort();
  return 0;
}
