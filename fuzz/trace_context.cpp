// Fields of W3C trace context: what is taken for one is written as it is read.
#include "base/trace_context.hpp"

#include <cstdlib>
#include <tcfdl/bytes.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tcfdl::TraceContext;
  const auto text = tcfdl::as_text({data, size});
  if (tcfdl::is_tracestate(text) && (text.size() > 512 || text.find('\n') != std::string_view::npos)) std::abort();
  const auto context = TraceContext::parse(text);
  if (context && TraceContext::parse(context->traceparent()) != context) std::abort();
  return 0;
}
