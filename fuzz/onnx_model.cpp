// ONNX models: never crashes, and what it takes is taken again as it is written.
#include "inference/onnx_model.hpp"

#include "inference/onnx_proto.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const auto external = [](const std::string&) -> Result<std::uint64_t> { return 4096; };
  const auto model = inference::parse_onnx({data, size});
  if (!model || !inference::check_onnx(*model, external)) return 0;
  const auto again = inference::parse_onnx(as_bytes(model->SerializeAsString()));
  if (!again || !inference::check_onnx(*again, external)) std::abort();
  return 0;
}
