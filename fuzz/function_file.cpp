// The YAML of functions and topologies: never crashes, refuses what the schema does not know, and a topology
// round-trips.
#include "cli/function_file.hpp"
#include "cli/topology.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::cli;
  const std::string text(tcfdl::as_text({data, size}));
  if (const auto function = parse_function_file(text, {.file = "function.yaml", .programs = "bin"})) {
    if (function->name.empty() || function->scale_min > function->scale_max) std::abort();
    const tcfdl::Bytes owner(65);
    (void)make_descriptor(*function, {}, owner);
  }
  if (const auto topology = parse_topology(text, "topology.yaml")) {
    const auto again = parse_topology(write_topology(*topology), "topology.yaml");
    if (!again || *again != *topology) std::abort();
  }
  return 0;
}
