// The SGX extension of PCK certificates.
#include "attestation/intel_pck.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto facts = tcfdl::attestation::PckFacts::parse({data, size});
  if (facts && (facts->fmspc.size() != 6 || facts->pceid.size() != 2 || facts->cpusvn.size() != 16)) std::abort();
  return 0;
}
