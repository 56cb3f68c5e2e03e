// Traces of tasks: never crashes, and what it takes is written as it is read.
#include "task_manager/trace.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::task_manager;
  const auto trace = parse_trace(tcfdl::as_text({data, size}));
  if (!trace) return 0;
  const auto written = write_trace(*trace);
  const auto again = parse_trace(written);
  if (!again || again->tasks.size() != trace->tasks.size() || write_trace(*again) != written) std::abort();
  return 0;
}
